/* Runs every suite; arguments pick suites by name, part=1/2 every second one. Exit status 1 when a test failed. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SUITE(f) Suite *f(void);
#include "suites.inc"
#undef SUITE

static const struct { const char *name; Suite *(*make)(void); } suites[] = {
#define SUITE(f) {#f, f},
#include "suites.inc"
#undef SUITE
};

int main(int argc, char **argv)
{
    setenv("CK_DEFAULT_TIMEOUT", "300", 0);          /* seconds: a busy machine is no failure */
    SRunner *runner = srunner_create(NULL);
    int count = 0, part = 1, parts = 1;
    if (argc == 2 && sscanf(argv[1], "part=%d/%d", &part, &parts) == 2 && part >= 1 && part <= parts) argc = 1;
    for (size_t i = 0; i < sizeof suites / sizeof *suites; i++) {
        int wanted = argc < 2 && (int)i % parts == part - 1;
        for (int a = 1; a < argc; a++) wanted |= strstr(suites[i].name, argv[a]) != NULL;
        if (wanted) srunner_add_suite(runner, suites[i].make()), count++;
    }
    if (count == 0) {
        for (int a = 1; a < argc; a++) fprintf(stderr, "check: no suite has '%s' in its name\n", argv[a]);
        return EXIT_FAILURE;
    }
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
