/* hdf5.h: what the two directions, journal to HDF5 and back, have in common. */
#ifndef BINDOT_HDF5_H
#define BINDOT_HDF5_H

#include "drivers/table.h"

#include <hdf5.h>
#include <hdf5_hl.h>

void hdf5_start(void); /* before any other call */

hid_t text_type(void); /* of any length, UTF-8; the caller closes it */
hid_t number_type(enum table_type);

#endif
