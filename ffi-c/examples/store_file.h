/* A file that holds what a session must not lose: changes behind each other, rewritten when most of them are past.
 * Records are found one by one, which is enough for the hundreds that an example has in flight. */
#ifndef STORE_FILE_H
#define STORE_FILE_H

#include "syncline.h"

struct store_file;

/* Opens or makes the file, and reads what it holds. Ends the program with a message if it cannot. */
struct store_file *store_file_open(const char *path);

/* What it holds, for `syncline_session_restore`; valid until the next change. */
const struct syncline_stored_record *store_file_records(const struct store_file *file, size_t *count);

/* Writes one change; it is durable after the next `store_file_sync`. */
void store_file_apply(struct store_file *file, const struct syncline_store_change *change);

/* Makes all changes durable, and says the number of the last one; 0: there was none since the last call. */
uint64_t store_file_sync(struct store_file *file);

void store_file_close(struct store_file *file);

#endif
