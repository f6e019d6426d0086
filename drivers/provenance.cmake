# Writes provenance.h: which kernels, built how, from which commit. Run at each
# build; the file changes only if what it says changes.
file(SHA256 ${KERNELS} hash)
set(commit unknown)
set(dirty unknown)
find_program(GIT git)
if(GIT)
  execute_process(COMMAND ${GIT} -C ${SOURCE} rev-parse HEAD
    OUTPUT_VARIABLE head RESULT_VARIABLE failed OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  if(NOT failed)
    set(commit ${head})
    execute_process(COMMAND ${GIT} -C ${SOURCE} status --porcelain --untracked-files=no
      OUTPUT_VARIABLE changes OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
    set(dirty no)
    if(changes)
      set(dirty yes)
    endif()
  endif()
endif()
string(REPLACE "\"" "\\\"" FLAGS "${FLAGS}")
file(CONFIGURE OUTPUT ${OUT} CONTENT [[
#define PROVENANCE_KERNEL_HASH "@hash@"
#define PROVENANCE_COMPILER "@COMPILER@"
#define PROVENANCE_FLAGS "@FLAGS@"
#define PROVENANCE_BUILD_TYPE "@BUILD_TYPE@"
#define PROVENANCE_GIT_COMMIT "@commit@"
#define PROVENANCE_GIT_DIRTY "@dirty@"
]] @ONLY)
