#include "preload/hook/libssl.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdbool.h>
#include <string.h>

#include "preload/hook/real.h"
#include "preload/track/spin.h"

enum {
	FOUND_MAX = 16, /* sets of functions; a process has one or two */
	SITES = 256,	/* places that call; a server has about ten */
	SITE_TRIES = 8,
	NAME_MAX_BYTES = 512,
};

static uint32_t lock;		       /* guards writing to all below; never held over a look-up */
static struct libssl found[FOUND_MAX]; /* an entry stays as it is until it is used again */
static unsigned n_found;	       /* ever: the oldest is used again */

/* Read without the lock. `caller` is written after `libssl`, and read before and after it. */
static struct site {
	const void *caller; /* NULL: free */
	const struct libssl *libssl;
} sites[SITES];

/* ---- where there is none ---- */

#define LIBSSL_MISSING(result, name, failure, version, parameters, arguments) \
	static result missing_##name parameters                               \
	{                                                                     \
		errno = ENOSYS;                                               \
		return failure;                                               \
	}
HOOK_SSL_TABLE(LIBSSL_MISSING)

static const struct libssl missing = {
#define LIBSSL_MISSING_MEMBER(result, name, failure, version, parameters, arguments) \
	.name = missing_##name,
	HOOK_SSL_TABLE(LIBSSL_MISSING_MEMBER)
};

/* ---- looking up ---- */

/* What a libssl's symbols are called by. All of a set come by the same. */
enum naming { NAMING_3, NAMING_1_1, NAMING_PLAIN };

static void *libssl_symbol(void *handle, enum naming naming, const char *name, const char *version)
{
	switch (naming) {
	case NAMING_3:
		return dlvsym(handle, name, "OPENSSL_3.0.0");
	case NAMING_1_1:
		return dlvsym(handle, name, version);
	default:
		return dlsym(handle, name);
	}
}

static bool libssl_fill(void *handle, enum naming naming, struct libssl *set)
{
	void *symbol = libssl_symbol(handle, naming, "SSL_read", "OPENSSL_1_1_0");

	if (!symbol)
		return false;
#define LIBSSL_FILL(result, name, failure, version, parameters, arguments) \
	symbol = libssl_symbol(handle, naming, #name, #version);           \
	set->name = symbol ? (result(*) parameters)symbol : missing_##name;
	HOOK_SSL_TABLE(LIBSSL_FILL)
	set->get_client_random = (size_t(*)(const void *, unsigned char *, size_t))libssl_symbol(
		handle, naming, "SSL_get_client_random", "OPENSSL_1_1_0");
	set->is_server = (int (*)(const void *))libssl_symbol(handle, naming, "SSL_is_server",
							      "OPENSSL_1_1_0");
	return true;
}

/* In the library of this name or those that it needs, if it is there. */
static bool libssl_fill_from(const char *name, enum naming naming, struct libssl *set)
{
	void *handle = dlopen(name, RTLD_LAZY | RTLD_NOLOAD);
	bool filled;

	if (!handle)
		return false;
	filled = libssl_fill(handle, naming, set);
	libc_dlclose(handle);
	return filled;
}

/* The n-th loaded object that looks like a libssl by its name. */
struct wanted {
	unsigned n;
	char name[NAME_MAX_BYTES];
};

static int libssl_look_at(struct dl_phdr_info *info, size_t size, void *data)
{
	struct wanted *wanted = data;
	const char *base = strrchr(info->dlpi_name, '/');
	size_t len = strlen(info->dlpi_name);

	if (!base || strncmp(base, "/libssl", strlen("/libssl")) != 0 || len >= NAME_MAX_BYTES ||
	    wanted->n-- > 0)
		return 0;
	memcpy(wanted->name, info->dlpi_name, len + 1);
	return 1;
}

static bool libssl_fill_from_any(enum naming naming, struct libssl *set)
{
	struct wanted wanted;

	for (unsigned n = 0; n < FOUND_MAX; n++) {
		wanted.n = n;
		if (!dl_iterate_phdr(libssl_look_at, &wanted))
			break;
		if (libssl_fill_from(wanted.name, naming, set))
			return true;
	}
	return false;
}

/* The name of the caller's library; NULL for the program itself, whose scope is the global one. */
static const char *libssl_module(const void *caller)
{
	struct link_map *map = NULL;
	Dl_info info;

	if (!dladdr1((const char *)caller - 1, &info, (void **)&map, RTLD_DL_LINKMAP) || !map)
		return NULL;
	return map->l_name && map->l_name[0] ? map->l_name : NULL;
}

/* In the order in which the dynamic linker would have looked; then, lest the call fails, anywhere. */
static bool libssl_look_up(enum libssl_version version, const void *caller, struct libssl *set)
{
	const char *module = libssl_module(caller);
	enum naming first = version == LIBSSL_3 ? NAMING_3 : NAMING_1_1;
	/* References without a version come to those of LIBSSL_3. */
	enum naming last = version == LIBSSL_3 ? NAMING_PLAIN : NAMING_1_1;

	for (enum naming naming = first; naming <= last; naming++) {
		if (libssl_fill(RTLD_NEXT, naming, set) ||
		    (module && libssl_fill_from(module, naming, set)) ||
		    libssl_fill_from_any(naming, set))
			return true;
	}
	return false;
}

/* ---- remembering ---- */

static const struct libssl *libssl_keep(const struct libssl *set)
{
	struct libssl *entry;

	for (unsigned i = 0; i < n_found && i < FOUND_MAX; i++) {
		if (memcmp(&found[i], set, sizeof(*set)) == 0)
			return &found[i];
	}
	entry = &found[n_found++ % FOUND_MAX];
	*entry = *set;
	return entry;
}

static unsigned libssl_site(const void *caller, unsigned try)
{
	return (unsigned)(((uintptr_t)caller * 0x9e3779b97f4a7c15u) >> 40) + try;
}

static void libssl_remember(const void *caller, const struct libssl *set)
{
	for (unsigned try = 0; try < SITE_TRIES; try++) {
		struct site *site = &sites[libssl_site(caller, try) % SITES];

		if (site->caller)
			continue;
		__atomic_store_n(&site->libssl, set, __ATOMIC_RELEASE);
		__atomic_store_n(&site->caller, caller, __ATOMIC_RELEASE);
		return;
	}
}

static const struct libssl *libssl_recall(const void *caller)
{
	for (unsigned try = 0; try < SITE_TRIES; try++) {
		struct site *site = &sites[libssl_site(caller, try) % SITES];
		const struct libssl *set;

		if (__atomic_load_n(&site->caller, __ATOMIC_ACQUIRE) != caller)
			continue;
		set = __atomic_load_n(&site->libssl, __ATOMIC_ACQUIRE);
		if (__atomic_load_n(&site->caller, __ATOMIC_ACQUIRE) == caller)
			return set;
	}
	return NULL;
}

const struct libssl *libssl_for(enum libssl_version version, const void *caller)
{
	const struct libssl *known = libssl_recall(caller);
	struct libssl set;
	int saved = errno;

	if (known)
		return known;
	memset(&set, 0, sizeof(set));
	if (!libssl_look_up(version, caller, &set)) {
		dlerror();
		errno = saved;
		return &missing;
	}
	dlerror(); /* what we asked for in vain is not the host's to hear of */
	spin_lock(&lock);
	known = libssl_keep(&set);
	libssl_remember(caller, known);
	spin_unlock(&lock);
	errno = saved;
	return known;
}

void libssl_withdraw(void)
{
	spin_lock(&lock);
	for (unsigned i = 0; i < SITES && n_found; i++)
		__atomic_store_n(&sites[i].caller, NULL, __ATOMIC_RELEASE);
	spin_unlock(&lock);
}

void libssl_postfork_child(void)
{
	lock = 0;
}
