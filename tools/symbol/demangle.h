/* C++ and old Rust names as people write them, if a C++ run-time library is installed. */
#ifndef REQPROF_SYMBOL_DEMANGLE_H
#define REQPROF_SYMBOL_DEMANGLE_H

/* A new string when name is mangled and could be read, else NULL. */
char *demangle_name(const char *name);

#endif
