/* Safetensors files: round trip, files of an independent writer, hostile files, full disks, memory that runs short. */
#include "oracle/golden_safetensors.h"
#include "hook_alloc.h"
#include "mesaopt/mesaopt.h"
#include "train/safetensors.h"

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static hook_alloc hook;
static mesaopt_ctx *ctx;
static char folder[64], path[96];

static void setup(void)
{
    mesaopt_settings *s;
    ck_assert_int_eq(mesaopt_settings_create(MESAOPT_SCOPE_CTX, hook_alloc_fn, &hook, &s), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_ctx_create(s, &ctx), MESAOPT_OK);
    mesaopt_settings_free(s);
    strcpy(folder, "/tmp/mesaopt-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/file.safetensors", folder);
}

/* Number of files in the folder; removes them when asked. */
static int files(int remove_them)
{
    int n = 0;
    DIR *d = opendir(folder);
    for (struct dirent *e; d && (e = readdir(d));) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
        n++;
        if (remove_them) unlinkat(dirfd(d), e->d_name, 0);
    }
    if (d) closedir(d);
    return n;
}

static void teardown(void)
{
    files(1);
    rmdir(folder);
    mesaopt_ctx_free(ctx);
    ck_assert_int_eq(hook.blocks, 0);
    ck_assert_int_eq(hook.bytes, 0);
}

static const char *error_text(void)
{
    static char text[512];
    mesaopt_ctx_error(ctx, text, sizeof text);
    return text;
}

static void write_bytes(const void *data, size_t n)
{
    FILE *f = fopen(path, "wb");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(data, 1, n, f), n);
    ck_assert_int_eq(fclose(f), 0);
}

static const float some_floats[6] = {1.5f, -2.0f, 0.1f, INFINITY, 1e-40f, -0.0f};
static const double some_doubles[3] = {0.1, 5e-324, -1e300};
static const int64_t some_longs[2] = {INT64_MIN, 9};
static const tensor_file_text some_texts[2] = {{"blocks", "linear(heads=2)\n\"x\" \\ \x01 ü"}, {"", "empty key"}};
static const saved_tensor some_tensors[5] = {
    {"double", MESAOPT_F64, 1, {3}, some_doubles},
    {"long", MESAOPT_I64, 2, {2, 1}, some_longs},
    {"single \"2\"", MESAOPT_F32, 2, {2, 3}, some_floats},
    {"scalar", MESAOPT_F32, 0, {0}, some_floats},
    {"none", MESAOPT_F32, 3, {4, 0, 2}, NULL}};

static mesaopt_status save_some(void) { return tensor_file_write(ctx, path, 2, some_texts, 5, some_tensors); }

START_TEST(round_trip)
{
    tensor_file f;
    const file_tensor *t;
    float x[6];
    double y[6];
    int64_t n[2];
    umask(027);
    ck_assert_int_eq(save_some(), MESAOPT_OK);
    struct stat st;
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_int_eq(st.st_mode & 0777, 0640);
    ck_assert_int_eq(files(0), 1);
    ck_assert_int_eq(tensor_file_open(ctx, path, &f), MESAOPT_OK);
    ck_assert_int_eq(f.tensors, 5);
    ck_assert_int_eq(f.texts, 2);
    ck_assert_int_eq(f.data_start % 8, 0);
    ck_assert_str_eq(tensor_file_metadata(&f, "blocks"), some_texts[0].value);
    ck_assert_str_eq(tensor_file_metadata(&f, ""), "empty key");
    ck_assert_ptr_null(tensor_file_metadata(&f, "block"));
    ck_assert_ptr_null(tensor_file_find(&f, "singl"));
    ck_assert_int_eq(tensor_file_expect(&f, "single \"2\"", 2, (int64_t[]){2, 3}, &t), MESAOPT_OK);
    ck_assert_int_eq(tensor_file_read(&f, t, 0, 6, MESAOPT_F32, x), MESAOPT_OK);
    ck_assert_mem_eq(x, some_floats, sizeof x);
    ck_assert_int_eq(tensor_file_read(&f, t, 3, 3, MESAOPT_F64, y), MESAOPT_OK);      /* the second row alone */
    for (int i = 0; i < 3; i++) ck_assert(y[i] == (double)some_floats[3 + i]);
    t = tensor_file_find(&f, "long");
    ck_assert_int_eq(tensor_file_read(&f, t, 0, 2, MESAOPT_I64, n), MESAOPT_OK);
    ck_assert_mem_eq(n, some_longs, sizeof n);
    ck_assert_int_eq(tensor_file_read(&f, t, 0, 2, MESAOPT_F64, y), MESAOPT_OK);
    for (int i = 0; i < 2; i++) ck_assert(y[i] == (double)some_longs[i]);
    ck_assert_int_eq(tensor_file_read(&f, t, 0, 2, MESAOPT_F32, x), MESAOPT_E_DTYPE);
    ck_assert_int_eq(tensor_file_expect(&f, "long", 2, (int64_t[]){2, 1}, &t), MESAOPT_E_FORMAT);
    t = tensor_file_find(&f, "none");
    ck_assert_int_eq(t->count, 0);
    ck_assert_int_eq(tensor_file_read(&f, t, 0, 0, MESAOPT_F64, y), MESAOPT_OK);
    ck_assert_int_eq(tensor_file_expect(&f, "scalar", 1, (int64_t[]){7}, &t), MESAOPT_E_FORMAT);
    ck_assert_ptr_nonnull(strstr(error_text(), "tensor 'scalar': shape [], expected [7]"));
    ck_assert_int_eq(tensor_file_expect(&f, "missing", 0, NULL, &t), MESAOPT_E_FORMAT);
    ck_assert_ptr_nonnull(strstr(error_text(), "tensor 'missing': it is missing, expected one of shape []"));
    tensor_file_close(&f);
    tensor_file_close(&f);
}
END_TEST

static void check_doubles(const tensor_file *f, const char *name, const uint64_t *want, int64_t n)
{
    double x[32];
    float y[32];
    const file_tensor *t = tensor_file_find(f, name);
    ck_assert_ptr_nonnull(t);
    ck_assert_int_eq(t->count, n);
    ck_assert_int_eq(tensor_file_read(f, t, 0, n, MESAOPT_F64, x), MESAOPT_OK);
    ck_assert_mem_eq(x, want, (size_t)n * 8);
    ck_assert_int_eq(tensor_file_read(f, t, 0, n, MESAOPT_F32, y), MESAOPT_OK);
    for (int64_t i = 0; i < n; i++) ck_assert(y[i] == (float)x[i]);
    for (int64_t i = 0; i < n; i++) {                /* any part is the part of the whole */
        ck_assert_int_eq(tensor_file_read(f, t, i, n - i, MESAOPT_F64, x), MESAOPT_OK);
        ck_assert_mem_eq(x, want + i, (size_t)(n - i) * 8);
    }
}

START_TEST(golden)
{
    tensor_file f;
    const file_tensor *t;
    if (_i == 0) write_bytes(golden_escaped, sizeof golden_escaped);
    else write_bytes(golden_plain, sizeof golden_plain);
    ck_assert_msg(tensor_file_open(ctx, path, &f) == MESAOPT_OK, "%s", error_text());
    ck_assert_int_eq(f.tensors, 11);
    check_doubles(&f, "weights.double", golden_double, 6);
    check_doubles(&f, "weights.single", golden_single, 24);
    check_doubles(&f, "weights.half", golden_half, 8);
    check_doubles(&f, "weights.brain", golden_brain, 7);
    t = tensor_file_find(&f, "weights.single");
    ck_assert(t->ndim == 3 && t->shape[0] == 2 && t->shape[1] == 3 && t->shape[2] == 4 && t->dtype == MESAOPT_F32);
    float x;
    ck_assert_ptr_nonnull(t = tensor_file_find(&f, "Grüße 𝔸 \"quoted\" \\ \t"));
    ck_assert_int_eq(tensor_file_read(&f, t, 0, 1, MESAOPT_F32, &x), MESAOPT_OK);
    ck_assert(x == 42.0f);
    int32_t ints[2];
    ck_assert_int_eq(tensor_file_read(&f, tensor_file_find(&f, "integers.int"), 0, 2, MESAOPT_I32, ints), MESAOPT_OK);
    ck_assert(ints[0] == -5 && ints[1] == 6);
    ck_assert_int_eq(tensor_file_find(&f, "empty")->count, 0);
    t = tensor_file_find(&f, "flags");
    ck_assert_int_eq(t->dtype, MESAOPT_BOOL);
    ck_assert_int_eq(tensor_file_read(&f, t, 0, 3, MESAOPT_F32, &x), MESAOPT_E_DTYPE);
    t = tensor_file_find(&f, "high.rank");
    ck_assert_int_eq(t->ndim, 7);
    ck_assert_int_eq(tensor_file_read(&f, t, 0, 8, MESAOPT_F32, &x), MESAOPT_E_FORMAT);
    ck_assert_ptr_nonnull(strstr(error_text(), "tensor 'high.rank': rank 7"));
    ck_assert_str_eq(tensor_file_metadata(&f, "plain"), "text");
    ck_assert_str_eq(tensor_file_metadata(&f, "blocks"), "line one\nline \"two\"");
    ck_assert_str_eq(tensor_file_metadata(&f, "größe"), "∞ and \xe2\x80\xa8");
    tensor_file_close(&f);
}
END_TEST

#define T(name, dtype, shape, offsets) "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"

/* A header, the number of data bytes after it, and what the text must say. */
static const struct hostile { const char *json; int data; const char *says; } hostile[] = {
    {"[]", 0, "does not start with '{'"},
    {" {}", 0, "does not start with '{'"},
    {"{", 0, "header of 1 bytes"},
    {"{ ", 0, "cut short"},
    {"{]", 0, "not JSON"},
    {"{}}", 0, "not JSON"},
    {"{}{}", 0, "not one JSON object"},
    {"{} x", 0, "header is not JSON"},
    {"{} 1 ", 0, "not one JSON object"},
    {"{}\n", 0, "garbage after"},
    {"{\"a\"}", 0, "names and values"},
    {"{\"a\":}", 0, "names and values"},
    {"{1:2}", 0, "not JSON"},
    {"{\"a\":1,}", 0, "tensor 'a': its entry is not an object"},
    {"{\"a\":[]}", 0, "tensor 'a': its entry is not an object"},
    {"{\"a\":{}}", 0, "tensor 'a': dtype is missing"},
    {"{\"a\":{}:\"b\":{}:\"c\":{}:\"d\":{}}", 0, "tensor 'a'"},
    {"{" T("a", "F32", "[]", "[0,4]") ":" T("b", "F32", "[]", "[4,8]") "}", 8, "names and values"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4, "tensor 'a': data_offsets is missing"},
    {"{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}", 4, "tensor 'a': shape is missing"},
    {"{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "tensor 'a': dtype, shape or data_offsets is there twice"},
    {"{\"a\":{\"dtype\":1,\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "tensor 'a': dtype is not a text"},
    {"{\"a\":{\"dtype\" \"shape\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "tensor 'a': its entry is not made of"},
    {"{" T("a", "F32", "1", "[0,4]") "}", 4, "tensor 'a': shape is not an array"},
    {"{" T("a", "F32", "[-1]", "[0,4]") "}", 4, "tensor 'a': extent 0"},
    {"{" T("a", "F32", "[1,1.0]", "[0,4]") "}", 4, "tensor 'a': extent 1"},
    {"{" T("a", "F32", "[1e0]", "[0,4]") "}", 4, "tensor 'a': extent 0"},
    {"{" T("a", "F32", "[true]", "[0,4]") "}", 4, "tensor 'a': extent 0"},
    {"{" T("a", "F32", "[\\u0031]", "[0,4]") "}", 4, "not JSON"},
    {"{" T("a", "F32", "[\"1\"]", "[0,4]") "}", 4, "tensor 'a': extent 0"},
    {"{" T("a", "F32", "[[1],1]", "[0,4]") "}", 4, "tensor 'a': extent 0"},
    {"{" T("a", "F32", "[9223372036854775808]", "[0,4]") "}", 4, "tensor 'a': extent 0"},
    {"{" T("a", "F32", "[4294967296,4294967296]", "[0,4]") "}", 4, "does not fit into 63 bits"},
    {"{" T("a", "F32", "[4611686018427387905]", "[0,4]") "}", 4, "do not fill"},      /* times 4 wraps to 4 */
    {"{" T("a", "F32", "[3]", "[0,4]") "}", 4, "tensor 'a': its 3 elements of 4 bytes do not fill data_offsets [0,4]"},
    {"{" T("a", "F64", "[1]", "[0,4]") "}", 4, "tensor 'a': its 1 elements of 8 bytes"},
    {"{" T("a", "F32", "[1]", "[4,0]") "}", 4, "tensor 'a': data_offsets [4,0] are reversed"},
    {"{" T("a", "F32", "[1]", "[-4,0]") "}", 4, "tensor 'a': data_offsets are not two"},
    {"{" T("a", "F32", "[1]", "[0]") "}", 4, "tensor 'a': data_offsets are not two"},
    {"{" T("a", "F32", "[1]", "[0,4,4]") "}", 4, "tensor 'a': data_offsets are not two"},
    {"{" T("a", "F32", "[1]", "[0,[4]]") "}", 4, "tensor 'a': data_offsets are not two"},
    {"{" T("a", "F32", "[1]", "[0,18446744073709551620]") "}", 4, "tensor 'a': data_offsets are not two"},
    {"{" T("a", "F32", "[1]", "[9223372036854775804,9223372036854775807]") "}", 4, "reach beyond the 4 bytes"},
    {"{" T("a", "F32", "[2]", "[0,8]") "}", 4, "tensor 'a': data_offsets [0,8] reach beyond the 4 bytes"},
    {"{" T("a", "XYZ", "[2]", "[0,8]") "}", 4, "tensor 'a': data_offsets [0,8] reach beyond the 4 bytes"},
    {"{" T("a", "F32", "[1]", "[4,8]") "}", 8, "tensor 'a': it begins at byte 4 of the data, expected 0"},
    {"{" T("a", "F32", "[2]", "[0,8]") "," T("b", "F32", "[2]", "[4,12]") "}", 12, "tensor 'b': it begins at byte 4 of the data, expected 8"},
    {"{" T("a", "F32", "[2]", "[0,8]") "," T("b", "F32", "[2]", "[0,8]") "}", 8, "': it begins at byte 0 of the data, expected 8"},
    {"{" T("a", "F32", "[1]", "[0,4]") "," T("b", "F32", "[1]", "[8,12]") "}", 12, "tensor 'b': it begins at byte 8 of the data, expected 4"},
    {"{" T("a", "F32", "[1]", "[0,4]") "," T("a", "F32", "[1]", "[4,8]") "}", 8, "tensor 'a': it is there twice"},
    {"{" T("ab", "F32", "[1]", "[0,4]") "," T("\\u0061b", "F32", "[1]", "[4,8]") "}", 8, "tensor 'ab': it is there twice"},
    {"{" T("a", "F32", "[1]", "[0,4]") "}", 6, "2 bytes after the last tensor"},
    {"{}", 1, "1 bytes after the last tensor"},
    {"{" T("x\\u0000y", "F32", "[1]", "[0,4]") "}", 4, "holds \\u0000"},
    {"{" T("\\ud800", "F32", "[1]", "[0,4]") "}", 4, "half a surrogate"},
    {"{" T("\\ud800\\u0041", "F32", "[1]", "[0,4]") "}", 4, "half a surrogate"},
    {"{" T("\\udc00\\ud800", "F32", "[1]", "[0,4]") "}", 4, "half a surrogate"},
    {"{" T("\\u12", "F32", "[1]", "[0,4]") "}", 4, "not JSON"},
    {"{" T("\\x", "F32", "[1]", "[0,4]") "}", 4, "not JSON"},
    {"{" T("a\xff", "F32", "[1]", "[0,4]") "}", 4, "not UTF-8 at byte 3"},
    {"{" T("\xc0\xaf", "F32", "[1]", "[0,4]") "}", 4, "not UTF-8 at byte 2"},
    {"{" T("\xed\xa0\x80", "F32", "[1]", "[0,4]") "}", 4, "not UTF-8 at byte 2"},
    {"{" T("\xf4\x90\x80\x80", "F32", "[1]", "[0,4]") "}", 4, "not UTF-8 at byte 2"},
    {"{\"\xe2\x82", 0, "not UTF-8 at byte 2"},
    {"{" T("a\n", "F32", "[1]", "[0,4]") "}", 4, "control character 10"},
    {"{\"__metadata__\":1}", 0, "__metadata__ is not an object"},
    {"{\"__metadata__\":{\"a\":1}}", 0, "pairs of texts"},
    {"{\"__metadata__\":{\"a\":\"b\":\"c\":\"d\":\"e\":\"f\"}}", 0, "pairs of texts"},
    {"{\"__metadata__\":{\"a\":\"1\",\"a\":\"2\"}}", 0, "a key of __metadata__ is there twice"},
    {"{\"__metadata__\":{},\"__metadata__\":{}}", 0, "__metadata__ is there twice"},
    {"{\"__metadata__\":{\"a\":\"\\udfff\"}}", 0, "a text of __metadata__ holds"},
    {"{\"a\":[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]}", 0, "nests deeper than 16"},
};
enum { HOSTILE = sizeof hostile / sizeof *hostile };

START_TEST(hostile_header)
{
    const struct hostile *h = &hostile[_i];
    unsigned char bytes[1024] = {0};
    uint64_t n = strlen(h->json);
    memcpy(bytes, &n, 8);
    memcpy(bytes + 8, h->json, n);
    write_bytes(bytes, 8 + n + (size_t)h->data);
    tensor_file f;
    ck_assert_int_eq(tensor_file_open(ctx, path, &f), MESAOPT_E_FORMAT);
    ck_assert_msg(strstr(error_text(), h->says) && strstr(error_text(), "file.safetensors"), "'%s' does not say '%s'", error_text(), h->says);
    ck_assert_ptr_null(strchr(error_text(), '\n'));
}
END_TEST

/* Every cut of a good file, and every single byte of its header changed: an error, or a file that can be read. */
START_TEST(mutations)
{
    unsigned char bytes[sizeof golden_plain];
    tensor_file f;
    double x[32];
    for (size_t n = 0; n < sizeof golden_plain; n++) {
        write_bytes(golden_plain, n);
        ck_assert_int_eq(tensor_file_open(ctx, path, &f), MESAOPT_E_FORMAT);
    }
    uint64_t header;
    memcpy(&header, golden_plain, 8);
    static const unsigned char values[] = {0, '"', '{', '}', '[', ']', ',', ':', '\\', '9', 0xff};
    for (size_t i = 0; i < 8 + header; i++) {
        memcpy(bytes, golden_plain, sizeof bytes);
        bytes[i] = values[i % sizeof values];
        write_bytes(bytes, sizeof bytes);
        if (tensor_file_open(ctx, path, &f) != MESAOPT_OK) continue;
        for (int64_t k = 0; k < f.tensors; k++)
            if (f.tensor[k].count <= 32) tensor_file_read(&f, &f.tensor[k], 0, f.tensor[k].count, MESAOPT_F64, x);
        tensor_file_close(&f);
    }
}
END_TEST

/* Headers that would cost a careless reader quadratic time or all memory. */
START_TEST(large_headers)
{
    size_t n = 12 << 20;
    char *bytes = malloc(8 + n);
    tensor_file f;
    uint64_t length = n;
    memcpy(bytes, &length, 8);
    memset(bytes + 8, '[', n);
    bytes[8] = '{';
    write_bytes(bytes, 8 + n);
    ck_assert_int_eq(tensor_file_open(ctx, path, &f), MESAOPT_E_FORMAT);
    for (size_t i = 0; i + 8 <= n - 1; i += 8) memcpy(bytes + 9 + i, "\"aaa\":1,", 8);
    bytes[7 + n] = '}';
    write_bytes(bytes, 8 + n);
    ck_assert_int_eq(tensor_file_open(ctx, path, &f), MESAOPT_E_FORMAT);
    for (size_t i = 9; i < 7 + n; i += 2) memcpy(bytes + i, "1,", 2);
    write_bytes(bytes, 8 + n);
    ck_assert_int_eq(tensor_file_open(ctx, path, &f), MESAOPT_E_FORMAT);
    length = (uint64_t)1 << 63;
    memcpy(bytes, &length, 8);
    write_bytes(bytes, 64);
    ck_assert_int_eq(tensor_file_open(ctx, path, &f), MESAOPT_E_FORMAT);
    ck_assert_ptr_nonnull(strstr(error_text(), "header of 9223372036854775808 bytes"));
    free(bytes);
}
END_TEST

START_TEST(not_files)
{
    tensor_file f;
    ck_assert_int_eq(tensor_file_open(ctx, path, &f), MESAOPT_E_IO);
    ck_assert_ptr_nonnull(strstr(error_text(), strerror(ENOENT)));
    ck_assert_int_eq(tensor_file_open(ctx, folder, &f), MESAOPT_E_IO);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    ck_assert_int_eq(tensor_file_open(ctx, path, &f), MESAOPT_E_IO);
    ck_assert_int_eq(save_some(), MESAOPT_E_IO);                          /* it stays a pipe */
    ck_assert_int_eq(files(1), 1);
    ck_assert_int_eq(tensor_file_write(ctx, folder, 0, NULL, 0, NULL), MESAOPT_E_IO);
    ck_assert_int_eq(tensor_file_write(ctx, "/dev/null", 0, NULL, 0, NULL), MESAOPT_E_IO);
    ck_assert_int_eq(tensor_file_write(ctx, "/nonexistent/folder/file", 0, NULL, 0, NULL), MESAOPT_E_IO);
    ck_assert_ptr_nonnull(strstr(error_text(), strerror(ENOENT)));
    static char deep[6000];
    memset(deep, 'x', sizeof deep - 1);
    ck_assert_int_eq(tensor_file_write(ctx, deep, 0, NULL, 0, NULL), MESAOPT_E_IO);
    ck_assert_int_eq(tensor_file_open(ctx, deep, &f), MESAOPT_E_IO);
    ck_assert_int_eq(files(0), 0);
}
END_TEST

START_TEST(truncated_meanwhile)
{
    tensor_file f;
    double x[8];
    write_bytes(golden_plain, sizeof golden_plain);
    ck_assert_int_eq(tensor_file_open(ctx, path, &f), MESAOPT_OK);
    ck_assert_int_eq(truncate(path, 100), 0);
    ck_assert_int_eq(tensor_file_read(&f, tensor_file_find(&f, "weights.half"), 0, 8, MESAOPT_F64, x), MESAOPT_E_IO);
    ck_assert_int_eq(tensor_file_read(&f, tensor_file_find(&f, "weights.double"), 0, 6, MESAOPT_F64, x), MESAOPT_E_IO);
    tensor_file_close(&f);
}
END_TEST

/* A limit on the size of files stands in for a full disk: the write is first short, then refused. */
START_TEST(full_disk)
{
    struct rlimit old, small;
    unsigned char before[4096], after[4096];
    ck_assert_int_eq(save_some(), MESAOPT_OK);
    FILE *file = fopen(path, "rb");
    size_t n = fread(before, 1, sizeof before, file);
    fclose(file);
    getrlimit(RLIMIT_FSIZE, &old);
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    for (rlim_t limit = 0; limit < n; limit += 13) {
        small = (struct rlimit){limit, old.rlim_max};
        ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
        mesaopt_status status = tensor_file_write(ctx, path, 2, some_texts, 5, some_tensors);
        ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &old), 0);
        ck_assert_int_eq(status, MESAOPT_E_IO);
        ck_assert_ptr_nonnull(strstr(error_text(), strerror(EFBIG)));
        ck_assert_int_eq(files(0), 1);
        file = fopen(path, "rb");
        ck_assert_uint_eq(fread(after, 1, sizeof after, file), n);
        fclose(file);
        ck_assert_mem_eq(before, after, n);
    }
    signal(SIGXFSZ, handler);
}
END_TEST

START_TEST(out_of_memory)
{
    tensor_file f;
    int refused = 0;
    ck_assert_int_eq(save_some(), MESAOPT_OK);
    for (long n = 1; n < 100; n++) {
        hook.fail_at = hook.calls + n;
        mesaopt_status status = save_some(), opened = tensor_file_open(ctx, path, &f);
        if (opened == MESAOPT_OK) tensor_file_close(&f);
        int hit = hook.calls >= hook.fail_at;
        hook.fail_at = 0;
        ck_assert_int_eq(files(0), 1);
        if (!hit) break;
        refused++;
        ck_assert(status == MESAOPT_E_MEMORY || opened == MESAOPT_E_MEMORY);
    }
    ck_assert_int_ge(refused, 4);
}
END_TEST

Suite *test_safetensors_suite(void)
{
    Suite *s = suite_create("safetensors");
    TCase *c = tcase_create("safetensors");
    tcase_set_timeout(c, 60);
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, round_trip);
    tcase_add_loop_test(c, golden, 0, 2);
    tcase_add_loop_test(c, hostile_header, 0, HOSTILE);
    tcase_add_test(c, mutations);
    tcase_add_test(c, large_headers);
    tcase_add_test(c, not_files);
    tcase_add_test(c, truncated_meanwhile);
    tcase_add_test(c, full_disk);
    tcase_add_test(c, out_of_memory);
    suite_add_tcase(s, c);
    return s;
}
