#include "tools/base/figures.h"

#include <stdio.h>
#include <time.h>

char *figure_duration(char buf[FIGURE_MAX], int64_t ns)
{
	const char *sign = ns < 0 ? "-" : "";
	double value = ns < 0 ? -(double)ns : (double)ns;

	if (!ns)
		snprintf(buf, FIGURE_MAX, "0");
	else if (value < 1e3)
		snprintf(buf, FIGURE_MAX, "%s%.0fns", sign, value);
	else if (value < 999.5e3)
		snprintf(buf, FIGURE_MAX, "%s%.*fus", sign, value < 9.95e3 ? 1 : 0, value / 1e3);
	else if (value < 999.5e6)
		snprintf(buf, FIGURE_MAX, "%s%.*fms", sign, value < 99.95e6 ? 1 : 0, value / 1e6);
	else if (value < 120e9)
		snprintf(buf, FIGURE_MAX, "%s%.*fs", sign, value < 99.5e9 ? 2 : 1, value / 1e9);
	else
		snprintf(buf, FIGURE_MAX, "%s%.0fm%02.0fs", sign, (double)(int64_t)(value / 60e9),
			 (double)((int64_t)(value / 1e9) % 60));
	return buf;
}

char *figure_percent(char buf[FIGURE_MAX], int64_t part, int64_t whole)
{
	if (whole)
		snprintf(buf, FIGURE_MAX, "%.1f %%", 100.0 * (double)part / (double)whole);
	else
		snprintf(buf, FIGURE_MAX, "-");
	return buf;
}

/* Rounds down, for times before 1970 too. */
static time_t seconds(int64_t unix_ns, long *rest)
{
	int64_t s = unix_ns / 1000000000;

	*rest = (long)(unix_ns % 1000000000);
	if (*rest < 0) {
		*rest += 1000000000;
		s--;
	}
	return s;
}

char *figure_local_time(char buf[FIGURE_MAX], int64_t unix_ns)
{
	long rest;
	time_t time = seconds(unix_ns, &rest);
	struct tm tm;

	if (!localtime_r(&time, &tm)) {
		snprintf(buf, FIGURE_MAX, "-");
		return buf;
	}
	size_t len = strftime(buf, FIGURE_MAX, "%Y-%m-%d %H:%M:%S", &tm);

	snprintf(buf + len, FIGURE_MAX - len, ".%03ld", rest / 1000000);
	return buf;
}

char *figure_rfc3339(char buf[FIGURE_MAX], int64_t unix_ns)
{
	long rest;
	time_t time = seconds(unix_ns, &rest);
	struct tm tm = { 0 };

	gmtime_r(&time, &tm);
	size_t len = strftime(buf, FIGURE_MAX, "%Y-%m-%dT%H:%M:%S", &tm);

	snprintf(buf + len, FIGURE_MAX - len, ".%09ldZ", rest);
	return buf;
}

void figure_shares(const int64_t *parts, size_t n, int tenths, int *shares)
{
	double whole = 0;
	int left = tenths;

	for (size_t i = 0; i < n; i++)
		whole += (double)parts[i];
	for (size_t i = 0; i < n; i++) {
		shares[i] = whole > 0 ? (int)((double)parts[i] * tenths / whole) : 0;
		left -= shares[i];
	}
	/* what rounding down left over goes to the largest remainders */
	for (; whole > 0 && left > 0; left--) {
		size_t most = 0;
		double most_lacks = -1;

		for (size_t i = 0; i < n; i++) {
			double lacks = (double)parts[i] * tenths / whole - shares[i];

			if (parts[i] > 0 && lacks > most_lacks) {
				most = i;
				most_lacks = lacks;
			}
		}
		shares[most]++;
	}
}
