"""The file: names, shapes and units; not who counted. h5py here only.

It is written under a temporary name beside its own, synced, and takes its name when it is whole.
"""

import os
import tempfile
import zlib

os.environ.setdefault("HDF5_USE_FILE_LOCKING", "FALSE")  # some file systems cannot lock

import h5py  # noqa: E402
import numpy as np  # noqa: E402

TEXT = h5py.string_dtype("utf-8")
MISSING = {"i4": -1, "i8": -1, "u4": 2**32 - 1, "u8": 2**64 - 1, "u1": 255}


class Place:
    """A name that is free, and a temporary one in the same folder. Raises OSError."""

    def __init__(self, path, force):
        self.path, self.force = path, force
        if os.path.isdir(path):
            raise IsADirectoryError(None, "is a folder", path)
        if not force and os.path.lexists(path):
            raise FileExistsError(None, "exists (--force replaces it)", path)
        folder, name = os.path.split(path)
        try:
            handle, self.temporary = tempfile.mkstemp(".tmp", f".{name}.", folder or ".")
        except OSError as error:  # tell the name that the user gave
            raise OSError(error.errno, error.strerror, path) from None
        os.fchmod(handle, 0o666 & ~umask())
        os.close(handle)

    def keep(self):
        """The whole file takes its name; nothing is replaced unless that was asked for."""
        sync(self.temporary)
        if self.force:
            os.replace(self.temporary, self.path)
        else:
            try:
                os.link(self.temporary, self.path)
                os.unlink(self.temporary)
            except FileExistsError:
                raise FileExistsError(None, "exists (--force replaces it)", self.path) from None
            except OSError:  # a file system without links
                if os.path.lexists(self.path):
                    raise FileExistsError(None, "exists (--force replaces it)",
                                          self.path) from None
                os.rename(self.temporary, self.path)
        self.temporary = ""
        sync(os.path.dirname(self.path) or ".")

    def discard(self):
        if self.temporary:
            try:
                os.unlink(self.temporary)
            except FileNotFoundError:
                pass


def umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def sync(path):
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write(path, attributes, axes, tables, notes):
    """attributes: "name" of the root or "group/name", str or int. axes: (name, length, meaning).
    tables: (name, axes, type, units, meaning, values); type is "text" or NumPy's.
    notes: table: {attribute: value}.
    """
    with h5py.File(create(path)) as file:
        for name, value in attributes.items():
            group, _, key = name.rpartition("/")
            put(group_of(file, group), key, value)
        for name, length, meaning in axes:
            numbers = np.arange(length, dtype="<i4")
            scale = file.create_dataset(name, data=numbers, **guarded(numbers))
            put(scale, "long_name", meaning)
            scale.make_scale(name)
        for table in tables:
            put_table(file, *table)
        for name, more in notes.items():
            for key, value in more.items():
                put(file[name], key, value)


def create(path):
    """A file whose groups remember the order in which they were filled, as netCDF-4 wants."""
    how = h5py.h5p.create(h5py.h5p.FILE_CREATE)
    how.set_link_creation_order(ORDER)
    access = h5py.h5p.create(h5py.h5p.FILE_ACCESS)
    access.set_fclose_degree(h5py.h5f.CLOSE_STRONG)
    access.set_libver_bounds(h5py.h5f.LIBVER_V110, h5py.h5f.LIBVER_V110)  # headers with checksums
    return h5py.h5f.create(os.fsencode(path), h5py.h5f.ACC_TRUNC, how, access)


ORDER = h5py.h5p.CRT_ORDER_TRACKED | h5py.h5p.CRT_ORDER_INDEXED


def group_of(file, path):
    group = file["/"]
    for name in filter(None, path.split("/")):
        if name not in group:
            how = h5py.h5p.create(h5py.h5p.GROUP_CREATE)
            how.set_link_creation_order(ORDER)
            h5py.h5g.create(group.id, name.encode(), gcpl=how)
        group = group[name]
    return group


def put(owner, key, value):
    if isinstance(value, (int, np.integer)):
        owner.attrs.create(key, np.int64(value), dtype="<i8")
        return
    data = str(value).encode("utf-8", "replace").replace(b"\0", b"")
    owner.attrs.create(key, data, dtype=h5py.string_dtype("utf-8", max(len(data), 1)))


def guarded(data):
    """How an array is stored so that a damaged byte is noticed."""
    if not data.size:
        return {}
    chunk = [1] * data.ndim
    chunk[-2:] = np.minimum(data.shape, 16384 if data.ndim == 1 else (1, 64, 1024)[-data.ndim:])[-2:]
    return {"chunks": tuple(map(int, chunk)), "shuffle": True, "compression": 1, "fletcher32": True}


def text_checksum(texts):
    """As the C drivers have it (trace_hdf5.c)."""
    return sum(zlib.crc32(text.encode(), zlib.crc32(i.to_bytes(8, "little")))
               for i, text in enumerate(texts) if text)


def put_table(file, name, axes, kind, units, meaning, values):
    group, _, key = name.rpartition("/")
    if kind == "text":
        data = np.array(values, dtype=object)
        how = {"dtype": TEXT}
    else:
        data = np.asarray(values, dtype="<" + kind)
        how = guarded(data)
        if data.ndim == 3:
            how["fillvalue"] = MISSING[kind]
    table = group_of(file, group).create_dataset(key, data=data, **how)
    put(table, "long_name", meaning)
    if kind == "text":
        put(table, "text_checksum", text_checksum(values))
    if units:
        put(table, "units", units)
    if kind in MISSING and kind != "u8":
        put(table, "missing_marker", MISSING[kind])
    for i, axis in enumerate(axes.split()):
        table.dims[i].attach_scale(file[axis])
