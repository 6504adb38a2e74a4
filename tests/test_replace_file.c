/* What saving does to the file of a name: links, modes, owners; what killed and simultaneous savers leave. */
#include "train/replace_file.h"
#include "training_setup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NOBODY = 65534 };
static char folder[64], before[4096];
static mesaopt_ctx *ctx;
static mesaopt_model *model;

/* Every test works in a folder of its own, with a folder "sub" in it. */
static void start(void)
{
    folder_make(folder);
    ck_assert_ptr_nonnull(getcwd(before, sizeof before));
    ck_assert_int_eq(chdir(folder), 0);
    ck_assert_int_eq(mkdir("sub", 0755), 0);
    umask(022);
    ck_assert_int_eq(mesaopt_ctx_create(NULL, &ctx), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_model_create(ctx, NULL, &model), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_model_add_text(model, "linear"), MESAOPT_OK);
}

/* Number of entries, "sub" included; removes them when asked. */
static int entries(const char *of, int remove_them)
{
    int n = 0;
    DIR *d = opendir(of);
    ck_assert_ptr_nonnull(d);
    for (struct dirent *e; (e = readdir(d));) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
        n++;
        if (remove_them && unlinkat(dirfd(d), e->d_name, 0) != 0) unlinkat(dirfd(d), e->d_name, AT_REMOVEDIR);
    }
    closedir(d);
    return n;
}

static void end(void)
{
    ck_assert_int_eq(mesaopt_model_free(model), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_ctx_free(ctx), MESAOPT_OK);
    entries("sub", 1);
    entries(".", 1);
    ck_assert_int_eq(chdir(before), 0);
    ck_assert_int_eq(rmdir(folder), 0);
}

static void touch(const char *path, mode_t mode)
{
    const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, "old", 3), 3);
    ck_assert_int_eq(fchmod(fd, mode), 0);
    close(fd);
}

static int is_link(const char *path)
{
    struct stat s;
    return lstat(path, &s) == 0 && S_ISLNK(s.st_mode);
}

static int is_model(const char *path)
{
    mesaopt_model *m = NULL;
    if (mesaopt_model_open(ctx, path, &m) != MESAOPT_OK) return 0;
    mesaopt_model_free(m);
    return 1;
}

static unsigned mode_of(const char *path)
{
    struct stat s;
    ck_assert_int_eq(stat(path, &s), 0);
    return s.st_mode & 07777;
}

static void not_saved(const char *path, const char *says)
{
    char text[512];
    ck_assert_int_eq(mesaopt_model_save(model, path), MESAOPT_E_IO);
    mesaopt_ctx_error(ctx, text, sizeof text);
    ck_assert_msg(strstr(text, says), "%s: expected %s", text, says);
    ck_assert_msg(!strstr(says, "not a regular file") || strlen(text) == strlen(says), "%s: expected nothing behind it", text);
}

START_TEST(links)
{
    static const struct { const char *to, *link; } made[] = {
        {"file", "link"}, {"link", "chain"}, {"../file", "sub/up"}, {"sub/up", "down-and-up"}, {"new", "dangling"},
        {"sub/new", "dangling-elsewhere"}, {"../chain", "sub/chain"}};
    static const struct { const char *save, *file; int files; } saves[] = {
        {"link", "file", 7}, {"chain", "file", 7}, {"sub/up", "file", 7}, {"down-and-up", "file", 7}, {"sub/chain", "file", 7},
        {"dangling", "new", 8}, {"dangling-elsewhere", "sub/new", 8}};
    touch("file", 0600);
    for (size_t i = 0; i < sizeof made / sizeof *made; i++) ck_assert_int_eq(symlink(made[i].to, made[i].link), 0);
    for (size_t i = 0; i < sizeof saves / sizeof *saves; i++) {
        const int fd = open("file", O_WRONLY | O_TRUNC);
        close(fd);
        ck_assert_int_eq(mesaopt_model_save(model, saves[i].save), MESAOPT_OK);
        ck_assert_msg(is_link(saves[i].save), "%s is no link any more", saves[i].save);
        ck_assert_msg(is_model(saves[i].file) && !is_link(saves[i].file), "%s was not written", saves[i].file);
        ck_assert_uint_eq(mode_of("file"), 0600);
        ck_assert_int_eq(entries(".", 0), saves[i].files);
        unlink("sub/new");
    }
    ck_assert_uint_eq(mode_of("new"), 0644);
}
END_TEST

START_TEST(links_to_nowhere)
{
    ck_assert_int_eq(symlink("b", "a"), 0);
    ck_assert_int_eq(symlink("a", "b"), 0);
    ck_assert_int_eq(symlink("none/file", "c"), 0);
    ck_assert_int_eq(symlink("sub", "d"), 0);
    not_saved("a", "a: creating a file in its folder: Too many levels");
    not_saved("c", "c: creating a file in its folder: No such file");
    not_saved("d", "d: not a regular file");
    not_saved("/dev/full", "/dev/full: not a regular file");
    not_saved("", "No such file");
    ck_assert_int_eq(entries(".", 0), 5);
    ck_assert(is_link("a") && is_link("b") && is_link("c") && is_link("d"));
}
END_TEST

START_TEST(modes)
{
    static const mode_t kept[] = {0600, 0640, 0604, 0660, 0666, 0755, 0700};
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
        touch("file", kept[i]);
        ck_assert_int_eq(mesaopt_model_save(model, "file"), MESAOPT_OK);
        ck_assert_uint_eq(mode_of("file"), kept[i]);
        unlink("file");
    }
    umask(027);
    ck_assert_int_eq(mesaopt_model_save(model, "file"), MESAOPT_OK);
    ck_assert_uint_eq(mode_of("file"), 0640);
}
END_TEST

/* As root a file keeps its owner; as somebody else one of another group gives that group no more than all. */
START_TEST(owners)
{
    struct stat s;
    char text[512];
    if (geteuid() != 0) return;
    touch("file", 0640);
    ck_assert_int_eq(chown("file", NOBODY, NOBODY), 0);
    ck_assert_int_eq(mesaopt_model_save(model, "file"), MESAOPT_OK);
    ck_assert_int_eq(stat("file", &s), 0);
    ck_assert(s.st_uid == NOBODY && s.st_gid == NOBODY && (s.st_mode & 07777) == 0640);
    ck_assert_int_eq(chown("file", 0, 0), 0);
    ck_assert_int_eq(chmod("file", 0646), 0);          /* its group reads, all read and write */
    ck_assert_int_eq(chown(".", NOBODY, NOBODY), 0);
    ck_assert_int_eq(setgroups(0, NULL), 0);
    ck_assert_int_eq(setegid(NOBODY), 0);
    ck_assert_int_eq(seteuid(NOBODY), 0);
    const mesaopt_status status = mesaopt_model_save(model, "file");
    ck_assert_int_eq(seteuid(0), 0);
    ck_assert_int_eq(setegid(0), 0);
    mesaopt_ctx_error(ctx, text, sizeof text);
    ck_assert_msg(status == MESAOPT_OK, "%s", text);
    ck_assert_int_eq(stat("file", &s), 0);
    ck_assert_uint_eq(s.st_uid, NOBODY);
    ck_assert_uint_eq(s.st_mode & 0777, 0666);
}
END_TEST

/* Files and folders that cannot be written to; root is told to be somebody else. */
START_TEST(read_only)
{
    const int root = geteuid() == 0;
    touch("file", 0444);
    touch("sub/file", 0666);
    ck_assert_int_eq(chmod("sub", 0555), 0);
    if (root) ck_assert_int_eq(chown(".", NOBODY, NOBODY), 0);
    if (root) ck_assert_int_eq(seteuid(NOBODY), 0);
    not_saved("file", "file: opening: Permission denied");
    not_saved("sub/file", "sub/file: creating a file in its folder: Permission denied");
    if (root) ck_assert_int_eq(seteuid(0), 0);
    ck_assert_int_eq(chmod("sub", 0755), 0);
    ck_assert_int_eq(entries(".", 0), 2);
    ck_assert_int_eq(entries("sub", 0), 1);
    ck_assert(!is_model("file") && !is_model("sub/file"));
}
END_TEST

/* A child that is killed with `count` half-written files. */
static void die_while_saving(const char *path, int count)
{
    const pid_t child = fork();
    int status;
    if (child == 0) {
        new_file f[3];
        for (int i = 0; i < count; i++)
            if (new_file_begin(&f[i], path) != 0 || write(f[i].fd, "half", 4) != 4) _exit(1);
        raise(SIGKILL);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFSIGNALED(status));
}

START_TEST(killed)
{
    ck_assert_int_eq(symlink("sub/file", "link"), 0);
    for (int count = 1; count <= 3; count++) {
        for (int i = 0; i < 20; i++) die_while_saving("link", count);
        ck_assert_int_eq(entries("sub", 0), count + (count > 1));
        ck_assert_int_eq(mesaopt_model_save(model, "link"), MESAOPT_OK);
        ck_assert_int_eq(entries("sub", 0), 1);
        ck_assert(is_model("sub/file"));
    }
}
END_TEST

/* Two at once: neither takes the other's file, each ends whole, the last one remains. */
START_TEST(both_whole)
{
    new_file a, b;
    char text[8] = "";
    ck_assert_int_eq(new_file_begin(&a, "file"), 0);
    ck_assert_int_eq(new_file_begin(&b, "file"), 0);
    ck_assert_int_eq(write(a.fd, "first", 5), 5);
    ck_assert_int_eq(write(b.fd, "second", 6), 6);
    ck_assert_int_eq(new_file_end(&a, 0), 0);
    ck_assert_int_eq(mesaopt_model_save(model, "file"), MESAOPT_OK);       /* and does not touch b's */
    ck_assert(is_model("file"));
    ck_assert_int_eq(new_file_end(&b, 0), 0);
    ck_assert_int_eq(entries(".", 0), 2);
    const int fd = open("file", O_RDONLY);
    ck_assert_int_eq(read(fd, text, sizeof text), 6);
    ck_assert_str_eq(text, "second");
    close(fd);
}
END_TEST

START_TEST(many_at_once)
{
    enum { CHILDREN = 6, SAVES = 60 };
    pid_t child[CHILDREN];
    for (int i = 0; i < CHILDREN; i++) {
        child[i] = fork();
        if (child[i]) continue;
        for (int k = 0; k < SAVES; k++)
            if (mesaopt_model_save(model, "file") != MESAOPT_OK || !is_model("file")) _exit(1);
        _exit(0);
    }
    for (int i = 0; i < CHILDREN; i++) {
        int status;
        ck_assert_int_eq(waitpid(child[i], &status, 0), child[i]);
        ck_assert_int_eq(status, 0);
    }
    ck_assert_int_eq(entries(".", 0), 2);
}
END_TEST

/* Names as long as a file system takes, also of characters of several bytes; two that begin alike. */
START_TEST(long_names)
{
    char name[256];
    for (int i = 0; i < 255; i++) name[i] = "\xc3\xbc"[(i + 1) % 2];
    name[0] = 'x', name[255] = 0;
    die_while_saving(name, 1);
    ck_assert_int_eq(mesaopt_model_save(model, name), MESAOPT_OK);
    name[254] = 'y', name[253] = 'y';
    ck_assert_int_eq(mesaopt_model_save(model, name), MESAOPT_OK);
    ck_assert_int_eq(entries(".", 0), 3);
    ck_assert(is_model(name));
}
END_TEST

Suite *test_replace_file_suite(void)
{
    Suite *s = suite_create("replace_file");
    TCase *t = tcase_create("replace_file");
    tcase_add_checked_fixture(t, start, end);
    tcase_add_test(t, links);
    tcase_add_test(t, links_to_nowhere);
    tcase_add_test(t, modes);
    tcase_add_test(t, owners);
    tcase_add_test(t, read_only);
    tcase_add_test(t, both_whole);
    tcase_add_test(t, long_names);
    suite_add_tcase(s, t);
    t = tcase_create("replace_file_fork");
    tcase_set_tags(t, "fork");
    tcase_add_checked_fixture(t, start, end);
    tcase_add_test(t, killed);
    tcase_add_test(t, many_at_once);
    suite_add_tcase(s, t);
    return s;
}
