/* A file with the password of an agent, which nobody else may read. */
#ifndef CREDENTIALS_FILE_H
#define CREDENTIALS_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Reads the password; how long it is, 0: there is none yet. Ends the program with a message if it cannot tell. */
size_t credentials_file_read(const char *path, uint8_t *password, size_t size);

/* Stores a password so that a power cut finds it whole or not at all. False: it could not be stored. */
bool credentials_file_write(const char *path, const uint8_t *password, size_t len);

#endif
