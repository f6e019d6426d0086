#include "drivers/describe.h"

#include "drivers/blas.h"
#include "drivers/facts.h"
#include "drivers/fail.h"
#include "drivers/gate.h"
#include "kernels/dot.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static int put(void *to, const char *key, const char *value)
{
    return trace_label(to, key, value);
}

/* -o FILE, or a directory or nothing: then the name is made here. */
static int choose_path(struct setup *s, int nranks)
{
    const char *given = s->params.output;
    struct stat status;
    const bool inside = !given || (stat(given, &status) == 0 && S_ISDIR(status.st_mode));
    int n;
    if (!inside) {
        n = snprintf(s->path, sizeof s->path, "%s", given);
    } else {
        char stamp[32];
        const time_t now = time(NULL);
        struct tm local;
        strftime(stamp, sizeof stamp, "%Y%m%dT%H%M%S", localtime_r(&now, &local));
        n = snprintf(s->path, sizeof s->path, "%s%s%s-%s-%dx%d-%s-%d.h5", given ? given : "",
                     given ? "/" : "", s->params.kernel, s->layout, nranks, s->rows, stamp,
                     (int)getpid());
    }
    return n < (int)sizeof s->path ? 0 : fail("--output: the name is too long");
}

static int put_numbers(struct trace *t, const struct setup *s, const struct team *team)
{
    const struct params *p = &s->params;
    const struct {
        const char *key;
        int64_t value;
    } numbers[] = {
        {"ranks", s->ranks->size(SCOPE_ALL)},
        {"workers", team_size(team)},
        {"blas_threads", s->blas_threads},
        {"nodes", s->ranks->nodes()},
        {"size", (int64_t)p->size},
        {"panel", (int64_t)p->panel},
        {"bins", s->experiment->timed ? (int64_t)p->bins : 0},
        {"bin_width_ns", s->experiment->timed ? (int64_t)p->width_ns : 0},
        {"detour_threshold_ns", s->experiment->timed ? (int64_t)p->detour_ns : 0},
        {"wait_ns", (int64_t)p->wait_ns},
        {"lock_interval_ns", (int64_t)p->lock_ns},
        {"sync_every", (int64_t)p->sync_every},
        {"warmup_ns", (int64_t)p->warmup_ns},
        {"repetitions_requested", (int64_t)p->repeats},
        {"max_time_ns", (int64_t)p->max_time_ns},
        {"pinned", p->bind},
    };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (trace_number(t, numbers[i].key, numbers[i].value) < 0)
            return -1;
    /* Where processes differ, the workers' columns tell. */
    return s->rows_alike ? trace_number(t, "threads_per_rank", s->rows_alike) : 0;
}

static int put_start(struct trace *t, const struct setup *s)
{
    return trace_label(t, "run_id", s->run_id) < 0 ? -1 : trace_label(t, "created", s->created);
}

static int put_words(struct trace *t, const struct setup *s)
{
    const struct params *p = &s->params;
    static const char *const work_units[] = {"clock", "alu", "memory"};
    static const char *const storages[] = {"private", "shared", "atomic"};
    char title[128], until[32];
    snprintf(title, sizeof title, "%s under layout %s", p->kernel, s->layout);
    snprintf(until, sizeof until, "%g", p->until_ci);
    const struct {
        const char *key, *value;
    } words[] = {
        {"title", title},
        {"source", facts_source()},
        {"layout", s->layout},
        {"kernel", p->kernel},
        {"method", p->method},
        {"scaling", p->weak ? "weak" : "strong"},
        {"unit", s->experiment->unit(p)},
        {"work_unit", work_units[s->experiment->timed ? p->unit : 0]},
        {"storage", storages[s->experiment->timed ? p->storage : 0]},
        {"lock", p->lock_ns ? "gil" : "none"},
        {"inject", p->inject.text ? p->inject.text : ""},
        {"until_ci", until},
        {"dot_variant", dot_variant()},
        {"dot_bits", dot_keeps_bits() ? "kept" : "not kept"},
        {"blas_core", blas_core()},
        {"provenance/mpi", s->ranks->version()},
        {"provenance/hdf5", trace_library()},
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (trace_label(t, words[i].key, words[i].value) < 0)
            return -1;
    return 0;
}

static int put_labels(struct trace *t, const struct params *p)
{
    for (int i = 0; i < p->nlabels; i++) {
        char key[sizeof "labels/" + PARAMS_KEY];
        const char *equals = strchr(p->labels[i], '=');
        snprintf(key, sizeof key, "labels/%.*s", (int)(equals - p->labels[i]), p->labels[i]);
        if (trace_label(t, key, equals + 1) < 0)
            return -1;
    }
    return 0;
}

static int put_axes(struct trace *t, const struct setup *s, const struct team *team)
{
    if (trace_axis(t, "repetition", 0, "whole repetitions, in order") < 0 ||
        trace_axis(t, "worker", (size_t)team_size(team), "workers: ranks, threads inside") < 0 ||
        trace_axis(t, "node", (size_t)s->ranks->nodes(), "nodes, by their first rank") < 0 ||
        trace_axis(t, "segment", 0, "starts of the run: it was stopped and resumed between") < 0 ||
        trace_axis(t, "knot", 0, "comparisons of all nodes' clocks, in order of time") < 0 ||
        trace_axis(t, "topology", 0, "distinct node topologies") < 0)
        return -1;
    if (!s->experiment->timed)
        return 0;
    return trace_axis(t, "bin", s->params.bins, "time bins from the agreed start") < 0
               ? -1
               : trace_axis(t, "detour", 0, "detours, by repetition, worker and time");
}

/* What the bits of /workers/findings mean. */
static int put_flags(struct trace *t)
{
    char text[1024] = "";
    for (int i = 0; i < GATE_NFINDINGS; i++) {
        const size_t used = strlen(text);
        snprintf(text + used, sizeof text - used, "%s%d: %s", i ? "; " : "", 1 << i,
                 gate_findings[i].text);
    }
    return trace_label(t, "workers/findings/bits", text);
}

/* Both rates stay: the one that converts this run's stamps, and the better one
 * that the whole run gives; they should agree. */
static int put_first_rate(struct trace *t, const struct clock *clock)
{
    char text[32];
    snprintf(text, sizeof text, "%.12g", 1 / clock->ns_per_tick);
    return trace_label(t, "clock/ticks_per_ns_at_start", text);
}

static void note_start(struct setup *s)
{
    const time_t now = time(NULL);
    struct tm utc;
    strftime(s->created, sizeof s->created, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &utc));
    facts_run_id(s->run_id);
}

int describe_create(struct trace **out, struct setup *s, const struct team *team,
                    const struct clock *clock, struct trace_past *past)
{
    const struct params *p = &s->params;
    note_start(s);
    if (choose_path(s, s->ranks->size(SCOPE_ALL)) < 0)
        return -1;
    if ((p->resume ? trace_resume(out, s->path, past) : trace_create(out, s->path, p->force)) < 0)
        return -1;
    struct trace *t = *out;
    if (!past->there && put_start(t, s) < 0) /* a resumed run keeps its name */
        return -1;
    return put_words(t, s) < 0 || put_numbers(t, s, team) < 0 || put_labels(t, p) < 0 ||
                   put_flags(t) < 0 || facts_build(put, t) < 0 ||
                   facts_process(put, t, p->argc, p->argv) < 0 || facts_environment(put, t) < 0 ||
                   describe_clock(t, clock) < 0 || put_first_rate(t, clock) < 0 ||
                   put_axes(t, s, team) < 0
               ? -1
               : 0;
}

int describe_segment(struct trace *t, const struct setup *s, uint64_t repetition, const char *boot)
{
    const size_t at = trace_reach(t, "/segments/run_id"), one = 1;
    const int64_t first = (int64_t)repetition, knot = (int64_t)trace_reach(t, "/clock/local_ns");
    const struct {
        struct table table;
        const void *data;
    } columns[] = {
        {{"/segments/first_repetition_index", "segment", TABLE_I64, "",
          "repetitions from this one on are of this start of the run: times of different "
          "segments cannot be compared"},
         &first},
        {{"/segments/first_knot_index", "segment", TABLE_I64, "", "the same, of knots"}, &knot},
        {{"/segments/run_id", "segment", TABLE_TEXT, "", "of this start"}, s->run_id},
        {{"/segments/created", "segment", TABLE_TEXT, "", "when, UTC"}, s->created},
        {{"/segments/source", "segment", TABLE_TEXT, "", "program and version"}, facts_source()},
        {{"/segments/boot_id", "segment", TABLE_TEXT, "",
          "the lead's kernel's number for that boot"},
         boot},
    };
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
        if (trace_table(t, &columns[i].table) < 0 ||
            trace_rows(t, columns[i].table.name, &at, &one, columns[i].data) < 0)
            return -1;
    return 0;
}

int describe_experiment(struct trace *t, const struct experiment *e, const void *state)
{
    const struct experiment_number *numbers;
    const size_t n = e->numbers ? e->numbers(state, &numbers) : 0;
    for (size_t i = 0; i < n; i++)
        if (trace_number(t, numbers[i].key, numbers[i].value) < 0)
            return -1;
    return 0;
}

struct topologies { /* the lead's: those seen so far, and whose is which */
    struct trace *trace;
    unsigned long long *hashes;
    int32_t *index; /* [nodes] */
    size_t count, nodes;
};

static unsigned long long hash_of(const char *bytes, size_t n)
{
    unsigned long long hash = 0xcbf29ce484222325u; /* FNV-1a */
    for (size_t i = 0; i < n; i++)
        hash = (hash ^ (unsigned char)bytes[i]) * 0x100000001b3u;
    return hash;
}

static int sink_topology(void *to, size_t first, size_t nrows, const void *bytes, size_t nbytes)
{
    (void)first, (void)nrows;
    struct topologies *seen = to;
    if (!nbytes)
        return 0;
    const unsigned long long hash = hash_of(bytes, nbytes);
    size_t i = 0;
    while (i < seen->count && seen->hashes[i] != hash)
        i++;
    seen->index[seen->nodes++] = (int32_t)i;
    if (i < seen->count)
        return 0;
    seen->hashes[seen->count++] = hash;
    return trace_rows(seen->trace, "/topologies/xml", &i, (size_t[]){1}, bytes);
}

static int collect_topologies(struct trace *t, const struct setup *s, struct team *team,
                              const struct place *place)
{
    const bool speaks = s->ranks->rank(SCOPE_NODE) == 0;
    const size_t nodes = (size_t)s->ranks->nodes();
    struct topologies seen = {.trace = t,
                              .hashes = calloc(nodes, sizeof *seen.hashes),
                              .index = calloc(nodes, sizeof *seen.index)};
    char *xml = speaks ? place_xml(place) : NULL;
    const struct table tables[] = {
        {"/topologies/xml", "topology", TABLE_TEXT, "", "hwloc XML"},
        {"/nodes/topology_index", "node", TABLE_I32, "", "its topology"}};
    int r = team_agree(team, seen.hashes && seen.index ? 0 : fail("out of memory"));
    if (r == 0)
        r = team_agree(team,
                       t && (trace_table(t, &tables[0]) < 0 || trace_table(t, &tables[1]) < 0));
    if (r == 0)
        r = team_collect(team, xml ? xml : "", xml ? strlen(xml) + 1 : speaks, sink_topology,
                         &seen);
    if (r == 0 && t)
        r = trace_rows(t, tables[1].name, (size_t[]){0}, &seen.nodes, seen.index);
    place_xml_free(place, xml);
    free(seen.hashes);
    free(seen.index);
    return r;
}

int describe_nodes(struct record *record, struct trace *t, const struct setup *s, struct team *team,
                   const struct place *place)
{
    char host[FACTS_TEXT], model[FACTS_TEXT];
    facts_host(host);
    facts_cpu_model(model);
    const bool speaks = s->ranks->rank(SCOPE_NODE) == 0;
    const struct rows rows[] = {{{"/nodes/hostname", "node", TABLE_TEXT, "", "host name"},
                                 host,
                                 speaks ? strlen(host) + 1 : 0},
                                {{"/nodes/cpu_model", "node", TABLE_TEXT, "", "CPU model"},
                                 model,
                                 speaks ? strlen(model) + 1 : 0}};
    int r = team_agree(team, record_declare(record, rows, 2));
    if (r == 0)
        r = record_rows(record, 0, rows, 2);
    if (r == 0)
        r = collect_topologies(t, s, team, place);
    return team_agree(team, r);
}

int describe_verdict(struct trace *t, const struct verdict *v)
{
    return trace_number(t, "valid", v->valid) < 0 ||
                   trace_label(t, "invalid_reasons", v->reasons) < 0 ||
                   trace_label(t, "warnings", v->warnings) < 0
               ? -1
               : 0;
}

int describe_clock(struct trace *t, const struct clock *clock)
{
    return facts_clock(put, t, clock);
}

int describe_outcome(struct trace *t, const struct measure_outcome *o)
{
    return trace_label(t, "stopped_by", halt_word(o->halt)) < 0 ||
                   trace_number(t, "stop_signal", o->signal) < 0
               ? -1
               : 0;
}
