/* How sure a share is that was sampled. */
#ifndef REQPROF_TOOLS_MODEL_INTERVAL_H
#define REQPROF_TOOLS_MODEL_INTERVAL_H

/* Shares between which the truth lies with 95 % probability. */
struct interval {
	double low, high;
};

/* hits of n samples (Wilson's score interval: it holds for few samples, and at 0 and 1). n 0: [0, 1]. */
struct interval interval_of(double hits, double n);
/* Half of its width: what stands behind a plus-minus sign. */
double interval_half(struct interval i);

#endif
