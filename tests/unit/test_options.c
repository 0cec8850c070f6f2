/* Command lines, the help made from the same table, and "did you mean". */
#include "tests/unit/tap.h"

#include "tools/base/errors.h"
#include "tools/base/options.h"
#include "tools/base/similar.h"

static bool flag, other;
static const char *text;
static long number;
static double decimal;
static int choice;
static const char *const choices[] = { "red", "green", NULL };

static const struct option_row inner[] = {
	{ OPTION_TEXT, 't', "text", "T", &text, "A text.", NULL, 0, 0 },
	{ 0 },
};
static const struct option_row rows[] = {
	{ OPTION_FLAG, 'f', "flag", NULL, &flag, "A flag.", NULL, 0, 0 },
	{ OPTION_FLAG, 'g', "other", NULL, &other, "Another.", NULL, 0, 0 },
	{ OPTION_TABLE, 0, NULL, NULL, (void *)inner, NULL, NULL, 0, 0 },
	{ OPTION_NUMBER, 'n', "number", "N", &number, "A number.", NULL, 1, 10 },
	{ OPTION_DECIMAL, 0, "decimal", "D", &decimal, "A decimal.", NULL, 0, 100 },
	{ OPTION_CHOICE, 'c', "choice", NULL, &choice, "A choice.", choices, 0, 0 },
	{ 0 },
};
static struct options_spec spec = {
	.command = "test", .usage = "[options]", .summary = "S.", .rows = rows
};

/* Arguments in one string, parted by spaces; what is left of them comes back likewise. */
static int parse(const char *line, char left[256])
{
	static char copy[256];
	char *argv[32] = { (char *)"test" }, *rest;
	int argc = 1, status;

	flag = other = false;
	text = NULL;
	number = 5;
	decimal = 0;
	choice = -1;
	snprintf(copy, sizeof(copy), "%s", line);
	for (char *word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
		argv[argc++] = word;
	argv[argc] = NULL;
	status = options_parse(&spec, &argc, argv);
	left[0] = '\0';
	for (int i = 1; status == OPTIONS_GO_ON && i < argc; i++)
		snprintf(left + strlen(left), 256 - strlen(left), "%s%s", i > 1 ? " " : "",
			 argv[i]);
	if (status == OPTIONS_GO_ON)
		CHECK(argv[argc] == NULL);
	return status;
}

static void options_stand_anywhere(void)
{
	char left[256];

	CHECK_INT(parse("a -f b --number 3 --text=x=y c", left), OPTIONS_GO_ON);
	CHECK_STR(left, "a b c");
	CHECK(flag);
	CHECK_INT(number, 3);
	CHECK_STR(text, "x=y");
}

static void short_ones_combine(void)
{
	char left[256];

	CHECK_INT(parse("-fgn7 -c green", left), OPTIONS_GO_ON);
	CHECK(flag && other);
	CHECK_INT(number, 7);
	CHECK_INT(choice, 1);
	CHECK_INT(parse("-gt value", left), OPTIONS_GO_ON);
	CHECK_STR(text, "value");
}

static void two_dashes_end_them(void)
{
	char left[256];

	CHECK_INT(parse("-f -- -g --nothing", left), OPTIONS_GO_ON);
	CHECK_STR(left, "-g --nothing");
	CHECK(!other);
	CHECK_INT(parse("- x", left), OPTIONS_GO_ON);
	CHECK_STR(left, "- x");
}

static void a_command_ends_them_when_asked(void)
{
	char left[256];

	spec.stop_at_argument = true;
	CHECK_INT(parse("-f cmd -g", left), OPTIONS_GO_ON);
	CHECK_STR(left, "cmd -g");
	CHECK(!other);
	CHECK_INT(parse("-f -- cmd -- -g", left), OPTIONS_GO_ON);
	CHECK_STR(left, "cmd -- -g");
	spec.stop_at_argument = false;
}

static void wrong_usage_is_told(void)
{
	const char *const wrong[] = {
		"--nothing",	 "-x",		 "--flag=1",
		"--number",	 "--number x",	 "--number 11",
		"--number 0",	 "--number 5x",	 "-n",
		"--decimal nan", "--decimal -1", "--choice blue",
		"--choice",	 "--fla",	 "--number 99999999999999999999",
	};
	char left[256];

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		if (parse(wrong[i], left) != EXIT_USAGE)
			printf("# accepted: %s\n", wrong[i]);
		CHECK_INT(parse(wrong[i], left), EXIT_USAGE);
	}
}

static void decimals_are_taken(void)
{
	char left[256];

	CHECK_INT(parse("--decimal 2.5", left), OPTIONS_GO_ON);
	CHECK(decimal == 2.5);
}

static void near_misses_are_suggested(void)
{
	struct similar s = similar_to("srot", 4);

	similar_try(&s, "status");
	similar_try(&s, "sort");
	similar_try(&s, "route");
	CHECK_STR(s.text, "sort");
	s = similar_to("zzz", 3);
	similar_try(&s, "sort");
	CHECK(s.text == NULL);
	s = similar_to("rep", 3);
	similar_try(&s, "report");
	CHECK_STR(s.text, "report");
	s = similar_to("", 0);
	similar_try(&s, "ls");
	CHECK(s.text == NULL || !strcmp(s.text, "ls"));
}

int main(void)
{
	static const struct tap_test tests[] = {
		TAP_TEST(options_stand_anywhere),    TAP_TEST(short_ones_combine),
		TAP_TEST(two_dashes_end_them),	     TAP_TEST(a_command_ends_them_when_asked),
		TAP_TEST(wrong_usage_is_told),	     TAP_TEST(decimals_are_taken),
		TAP_TEST(near_misses_are_suggested),
	};

	return tap_run(tests, sizeof(tests) / sizeof(tests[0]));
}
