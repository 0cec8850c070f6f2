/*
 * symbol: addresses to names. The only room that uses elfutils.
 *
 * Names come, best first, from DWARF (inlined calls, source lines) in the module itself or in its
 * separate debug file (DEBUG_DIR/.build-id/xx/rest.debug, then .gnu_debuglink), from .symtab, and
 * from .dynsym when that is all there is. Nothing is fetched over the network: debuginfod is never
 * asked.
 *
 * A module is opened at its first address and stays open; every answer is remembered.
 * One thread at a time per symbolizer. Out of memory ends the program (tools/base/errors.h).
 */
#ifndef REQPROF_SYMBOL_SYMBOL_H
#define REQPROF_SYMBOL_SYMBOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define SYMBOL_DEBUG_DIR "/usr/lib/debug"
#define SYMBOL_KERNEL "[kernel.kallsyms]" /* as profiles call the kernel: PROFILE_KERNEL_MAPPING */
#define SYMBOL_GENERATED "[jit]" /* code that was made at run time and is in no file */

enum { SYMBOL_FRAMES_MAX = 64 }; /* at one address; calls inlined deeper than that are left out */

/* Strings live until symbol_close. */
struct symbol_frame {
	const char *name; /* demangled; never NULL */
	const char *file; /* NULL when unknown */
	int line; /* being run, or of the call for a frame that others were inlined into; 0 unknown */
	int start_line; /* where the function is declared; 0 unknown */
	bool inlined;	/* into the next frame */
};

struct symbolizer;

/*
 * Whose generated code it is, as a build id: the process, when it began (ns since 1970, 0 unknown), and who owns
 * its profile. Free it.
 */
char *symbol_process(uint32_t pid, uint64_t start_ns, uid_t owner);

struct symbolizer *symbol_open(void);
/* NULL is fine. */
void symbol_close(struct symbolizer *s);

/*
 * warn is called once for each file that is there but cannot be used, at the symbol_resolve that
 * found it out: path, and why in a few words. The path may hold any bytes that the profile held.
 * Without a call of this, errors_say tells it.
 */
void symbol_on_warning(struct symbolizer *s,
		       void (*warn)(void *arg, const char *path, const char *why), void *arg);

/* Looks for separate debug files under dir (copied) instead of SYMBOL_DEBUG_DIR. Call it first. */
void symbol_set_debug_dir(struct symbolizer *s, const char *dir);

/*
 * Keeps answers under dir (copied; NULL: $XDG_CACHE_HOME/reqprof) for later runs, written by
 * symbol_close, and takes those that are there (tools/symbol/cache.h). Call it first.
 */
void symbol_use_cache(struct symbolizer *s, const char *dir);

/*
 * Writes the frames at file_offset of a module (address - mapping start + mapping offset; for a
 * return address less one, as format/profile.h has it), innermost first, and returns how many: at
 * least 1, at most max, the outermost being cut; 0 when unknown. module_path "[vdso]" is this
 * kernel's, SYMBOL_KERNEL the kernel itself, whose offsets are addresses and whose build id is
 * that of the boot; SYMBOL_GENERATED what its process made at run time (code_map.h), whose offsets are
 * addresses too and whose build id is what symbol_process tells. build_id_hex: what the profile says, "" or NULL when it says nothing. A file whose
 * build id differs gives no names: names of another build would be wrong ones.
 *
 * PLT stubs are called "printf@plt". A function that only its unwind entry betrays (a static one of
 * a stripped file) is called "[libz.so.1+0x3a40]", after the file and where in it the function
 * starts, so that its samples at least add up.
 */
size_t symbol_resolve(struct symbolizer *s, const char *module_path, const char *build_id_hex,
		      uint64_t file_offset, struct symbol_frame *out, size_t max);

#endif
