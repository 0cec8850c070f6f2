#include "tools/model/interval.h"

#include <math.h>

/* The 97.5 % quantile of the normal distribution. */
#define Z 1.959964

struct interval interval_of(double hits, double n)
{
	double share, middle, half;

	if (n <= 0)
		return (struct interval){ 0, 1 };
	share = fmin(fmax(hits / n, 0), 1);
	middle = (share + Z * Z / (2 * n)) / (1 + Z * Z / n);
	half = Z * sqrt(share * (1 - share) / n + Z * Z / (4 * n * n)) / (1 + Z * Z / n);
	/* at the ends the formula is exact but for rounding */
	return (struct interval){ share > 0 ? fmax(middle - half, 0) : 0,
				  share < 1 ? fmin(middle + half, 1) : 1 };
}

double interval_half(struct interval i)
{
	return (i.high - i.low) / 2;
}
