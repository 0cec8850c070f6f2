/* Expected bytes are those of marshal.dumps(VALUE, 2) of CPython 3.11. */
#include "tools/render/marshal.h"

#include "tests/unit/render_model.h"

static void check_bytes(struct written *w, const char *hex)
{
	char *got = calloc(w->len + 1, 2);

	for (size_t i = 0; i < w->len; i++)
		snprintf(got + 2 * i, 3, "%02x", (unsigned char)w->bytes[i]);
	CHECK_STR(got, hex);
	free(got);
	free(w->bytes);
}

static void check_integer(int64_t value, const char *hex)
{
	struct written w;

	marshal_integer(written_open(&w), value);
	written_close(&w);
	check_bytes(&w, hex);
}

static void integers_of_32_bits_are_short(void)
{
	check_integer(0, "6900000000");
	check_integer(1, "6901000000");
	check_integer(-1, "69ffffffff");
	check_integer(INT32_MAX, "69ffffff7f");
	check_integer(INT32_MIN, "6900000080");
}

static void larger_integers_are_digits_of_15_bits(void)
{
	check_integer(INT64_C(2147483648), "6c03000000000000000200");
	check_integer(INT64_C(-2147483649), "6cfdffffff010000000200");
	check_integer(INT64_C(1000000000000), "6c0300000000104a29a303");
	check_integer(INT64_MAX, "6c05000000ff7fff7fff7fff7f0700");
	check_integer(INT64_MIN, "6cfbffffff00000000000000000800");
}

static void reals_are_little_endian_doubles(void)
{
	struct written w;

	marshal_real(written_open(&w), 0.25);
	written_close(&w);
	check_bytes(&w, "67000000000000d03f");
}

static void texts_are_counted_in_bytes(void)
{
	struct written w;

	marshal_text(written_open(&w), "\xc3\xa9");
	written_close(&w);
	check_bytes(&w, "7502000000c3a9");
}

static void dicts_end_and_tuples_count(void)
{
	struct written w;
	FILE *out = written_open(&w);

	marshal_dict_begin(out);
	marshal_tuple(out, 2);
	marshal_integer(out, 1);
	marshal_text(out, "");
	marshal_integer(out, 2);
	marshal_dict_end(out);
	written_close(&w);
	check_bytes(&w, "7b280200000069010000007500000000690200000030");
}

int main(void)
{
	static const struct tap_test tests[] = {
		TAP_TEST(integers_of_32_bits_are_short),
		TAP_TEST(larger_integers_are_digits_of_15_bits),
		TAP_TEST(reals_are_little_endian_doubles),
		TAP_TEST(texts_are_counted_in_bytes),
		TAP_TEST(dicts_end_and_tuples_count),
	};

	return tap_run(tests, sizeof(tests) / sizeof(*tests));
}
