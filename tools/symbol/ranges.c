#include "tools/symbol/ranges.h"

#include <stdlib.h>

#include "tools/base/errors.h"

void ranges_add(struct ranges *r, uint64_t start, uint64_t end, uint64_t item, uint32_t rank)
{
	if (start >= end)
		return;
	if (r->count == r->room) {
		r->room = r->room ? r->room * 2 : 64;
		r->all = errors_realloc(r->all, r->room, sizeof(*r->all));
	}
	r->all[r->count++] = (struct range){ start, end, 0, item, rank };
}

/*
 * Wider first, so that among equal starts the search, which goes down from the top, meets the inner
 * one first.
 */
static int compare(const void *left, const void *right)
{
	const struct range *a = left, *b = right;

	if (a->start != b->start)
		return a->start < b->start ? -1 : 1;
	if (a->rank != b->rank)
		return a->rank < b->rank ? -1 : 1;
	if (a->end != b->end)
		return a->end > b->end ? -1 : 1;
	return a->item < b->item ? -1 : a->item > b->item;
}

void ranges_sort(struct ranges *r, bool keep_nested)
{
	uint64_t max_end = 0;
	size_t kept = 0;

	if (!r->count)
		return;
	qsort(r->all, r->count, sizeof(*r->all), compare);
	for (size_t i = 0; i < r->count; i++) {
		/* The best of an equal-start group sorts last: it overwrites the others. */
		if (!keep_nested && kept && r->all[kept - 1].start == r->all[i].start)
			kept--;
		r->all[kept++] = r->all[i];
	}
	r->count = kept;
	for (size_t i = 0; i < r->count; i++) {
		if (r->all[i].end > max_end)
			max_end = r->all[i].end;
		r->all[i].max_end = max_end;
	}
}

/* How many start at or before the address. */
static size_t started(const struct ranges *r, uint64_t address)
{
	size_t low = 0, high = r->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (r->all[middle].start <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const struct range *ranges_find(const struct ranges *r, uint64_t address)
{
	size_t low = started(r, address);

	while (low > 0 && r->all[low - 1].max_end > address) {
		low--;
		if (address < r->all[low].end)
			return &r->all[low];
	}
	return NULL;
}

const struct range *ranges_find_newest(const struct ranges *r, uint64_t address)
{
	const struct range *newest = NULL;

	for (size_t i = started(r, address); i > 0 && r->all[i - 1].max_end > address; i--) {
		const struct range *one = &r->all[i - 1];

		if (address < one->end && (!newest || one->item > newest->item))
			newest = one;
	}
	return newest;
}

void ranges_free(struct ranges *r)
{
	free(r->all);
	*r = (struct ranges){ 0 };
}
