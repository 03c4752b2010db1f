/* test_model_safetensors.c - the header parser: a good header, one case for everything that can be wrong with
 * one, and the index of shards. Bytes only, no files. */
#include "unit/model/tiny_model.h"

#include "model/safetensors.h"
#include "model/shard_index.h"

/* Three tensors in 44 bytes of data: a F32 [2, 3], b BF16 [2], c F16 [2, 2, 2]. */
#define A    "\"a\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]}"
#define B    "\"b\":{\"dtype\":\"BF16\",\"shape\":[2],\"data_offsets\":[24,28]}"
#define C    "\"c\":{\"dtype\":\"F16\",\"shape\":[2,2,2],\"data_offsets\":[28,44]}"
#define GOOD "{\"__metadata__\":{\"format\":\"pt\"}," C "," A "," B "}"
enum { N_DATA = 44 };

/* Parses `header` in front of n_data bytes, from a block of exactly that size. */
static enum cola_status parse(const char *header, size_t n_data, struct cola_safetensors *out, void **bytes)
{
    *bytes = malloc(8 + strlen(header) + n_data);
    assert_non_null(*bytes);
    return cola_safetensors_parse(*bytes, tiny_file(*bytes, header, 0, n_data), "m/x.safetensors", out);
}

static void good_header_gives_entries_by_place(void **state)
{
    (void)state;
    struct cola_safetensors st;
    void *bytes;
    assert_int_equal(parse(GOOD "   ", N_DATA, &st, &bytes), COLA_OK);
    const char *data = (const char *)bytes + 8 + strlen(GOOD "   ");
    assert_int_equal(st.n_entries, 3);
    assert_string_equal(st.entry[0].name, "a");
    assert_int_equal(st.entry[0].dtype, COLA_F32);
    assert_int_equal(st.entry[0].n_dims, 2);
    assert_int_equal(st.entry[0].shape[0], 2);
    assert_int_equal(st.entry[0].shape[1], 3);
    assert_ptr_equal(st.entry[0].data, data);
    assert_string_equal(st.entry[1].name, "b");
    assert_int_equal(st.entry[1].dtype, COLA_BF16);
    assert_ptr_equal(st.entry[1].data, data + 24);
    assert_string_equal(st.entry[2].name, "c");
    assert_int_equal(st.entry[2].dtype, COLA_F16);
    assert_int_equal(st.entry[2].n_dims, 3);
    assert_ptr_equal(st.entry[2].data, data + 28);
    cola_safetensors_fini(&st);
    free(bytes);
}

static void unusual_but_valid_headers_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        size_t n_data, n_entries;
    } valid[] = {
        {"{}", 0, 0},
        {"{\"__metadata__\":{}}", 0, 0},
        {"{\"s\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]}}", 4, 1},
        {"{\"e\":{\"dtype\":\"F32\",\"shape\":[0,9223372036854775807],\"data_offsets\":[0,0]}," A "}", 24, 2},
        {"{\"e\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[24,24]}," A "}", 24, 2},
    };
    for (size_t i = 0; i < sizeof valid / sizeof *valid; i++) {
        struct cola_safetensors st;
        void *bytes;
        if (parse(valid[i].header, valid[i].n_data, &st, &bytes) != COLA_OK)
            fail_msg("%s: %s", valid[i].header, cola_error_text());
        assert_int_equal(st.n_entries, valid[i].n_entries);
        cola_safetensors_fini(&st);
        free(bytes);
    }
}

static const struct {
    const char *from, *to; /* replaced in GOOD */
    enum cola_status status;
    const char *word[3]; /* in the error, beside the file's name */
} refused[] = {
    /* JSON */
    {"{\"__metadata__\"", "\"__metadata__\"", COLA_ERR_INPUT, {"JSON"}},
    {"[24,28]}}", "[24,28]}", COLA_ERR_INPUT, {"JSON", "\"b\""}},
    {"[24,28]}}", "[24,28]}}}", COLA_ERR_INPUT, {"JSON"}},
    {"\"BF16\"", "BF16", COLA_ERR_INPUT, {"JSON", "\"b\""}},
    {"\"b\":", "\"a\":", COLA_ERR_INPUT, {"duplicate", "\"a\""}},
    {"\"b\":", "\"\\u0061\":", COLA_ERR_INPUT, {"duplicate"}},
    {"\"b\":", "\"b\\u0000\":", COLA_ERR_INPUT, {"JSON"}},
    {"\"shape\":[2]", "\"shape\":[2],\"shape\":[2]", COLA_ERR_INPUT, {"duplicate", "\"b\""}},
    {"\"shape\":[2]", "\"shape\":[99999999999999999999]", COLA_ERR_INPUT, {"\"b\"", "integer"}},
    {"\"shape\":[2]", "\"shape\":[1e999]", COLA_ERR_INPUT, {"\"b\"", "overflow"}},
    {"\"shape\":[2]", "\"shape\":[NaN]", COLA_ERR_INPUT, {"\"b\""}},
    {"{\"format\":\"pt\"}", "{\"format\":1}", COLA_ERR_INPUT, {"__metadata__"}},
    {"{\"format\":\"pt\"}", "7", COLA_ERR_INPUT, {"__metadata__"}},
    /* names */
    {"\"b\":", "\"\":", COLA_ERR_INPUT, {"name is empty"}},
    {"\"b\":", "\"b\\u001b[2J\":", COLA_ERR_INPUT, {"control characters"}},
    /* entries */
    {B, "\"b\":[]", COLA_ERR_INPUT, {"tensor b", "object"}},
    {B, "\"b\":null", COLA_ERR_INPUT, {"tensor b", "object"}},
    {"\"dtype\":\"BF16\",", "", COLA_ERR_INPUT, {"tensor b", "dtype", "missing"}},
    {"\"shape\":[2],", "", COLA_ERR_INPUT, {"tensor b", "shape", "missing"}},
    {",\"data_offsets\":[24,28]", "", COLA_ERR_INPUT, {"tensor b", "data_offsets", "missing"}},
    {"\"shape\":[2]", "\"shape\":[2],\"x\":0", COLA_ERR_INPUT, {"tensor b", "key other than"}},
    {"\"BF16\"", "\"I16\"", COLA_ERR_UNSUPPORTED, {"tensor b", "I16", "F32, BF16 or F16"}},
    {"\"BF16\"", "\"F64\"", COLA_ERR_UNSUPPORTED, {"tensor b", "F64"}},
    {"\"BF16\"", "\"bf16\"", COLA_ERR_UNSUPPORTED, {"tensor b", "bf16"}},
    {"\"BF16\"", "2", COLA_ERR_INPUT, {"tensor b", "dtype", "string"}},
    /* shapes */
    {"\"BF16\"", "\"F32\"", COLA_ERR_INPUT, {"tensor b", "[2] of F32 is 8 bytes", "span 4"}},
    {"[2,3]", "[2,4]", COLA_ERR_INPUT, {"tensor a", "[2, 4] of F32 is 32 bytes", "span 24"}},
    {"[2,3]", "[3,2,1,1,1]", COLA_ERR_INPUT, {"tensor a", "at most 4"}},
    {"[2,3]", "[-2,-3]", COLA_ERR_INPUT, {"tensor a", "[-2,-3]"}},
    {"[2,3]", "[2.0,3]", COLA_ERR_INPUT, {"tensor a", "2.0"}},
    {"[2,3]", "6", COLA_ERR_INPUT, {"tensor a", "shape", "found 6"}},
    {"[2,3]", "[\"2\",3]", COLA_ERR_INPUT, {"tensor a", "shape"}},
    {"[2,3]", "[4611686018427387904,4]", COLA_ERR_INPUT, {"tensor a", "overflows"}},
    {"[2,3]", "[4294967296,4294967296]", COLA_ERR_INPUT, {"tensor a", "overflows"}},
    {"[2,3]", "[4611686018427387910]", COLA_ERR_INPUT, {"tensor a", "overflows"}}, /* times 4 wraps to 24 */
    /* offsets */
    {"[24,28]", "[24]", COLA_ERR_INPUT, {"tensor b", "[begin, end]"}},
    {"[24,28]", "[24,28,28]", COLA_ERR_INPUT, {"tensor b", "[begin, end]"}},
    {"[24,28]", "[28,24]", COLA_ERR_INPUT, {"tensor b", "[begin, end]"}},
    {"[24,28]", "[-4,0]", COLA_ERR_INPUT, {"tensor b", "[begin, end]"}},
    {"[24,28]", "[24,28.0]", COLA_ERR_INPUT, {"tensor b", "[begin, end]"}},
    {"[24,28]", "{\"0\":24}", COLA_ERR_INPUT, {"tensor b", "[begin, end]"}},
    {"[28,44]", "[29,45]", COLA_ERR_INPUT, {"tensor c", "45", "44 bytes"}},
    {"[28,44]", "[9223372036854775791,9223372036854775807]", COLA_ERR_INPUT, {"tensor c", "44 bytes"}},
    {"[24,28]", "[22,26]", COLA_ERR_INPUT, {"tensor b overlaps tensor a", "22"}},
    {"[24,28]", "[0,4]", COLA_ERR_INPUT, {"tensor a overlaps tensor b"}},
    {"," B, "", COLA_ERR_INPUT, {"hole before tensor c", "24 to 28"}},
    {"," A, "", COLA_ERR_INPUT, {"hole before tensor b", "0 to 24"}},
    {"[2,2,2],\"data_offsets\":[28,44]",
     "[2,2],\"data_offsets\":[28,36]",
     COLA_ERR_INPUT,
     {"8 bytes follow", "tensor c"}},
    {GOOD, "{}", COLA_ERR_INPUT, {"44 bytes follow"}},
};

static void refused_headers_name_file_and_tensor(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        char header[TINY_TEXT_BYTES] = GOOD;
        struct cola_safetensors st = {.n_entries = 77};
        void *bytes;
        replace_once(header, refused[i].from, refused[i].to);
        enum cola_status status = parse(header, N_DATA, &st, &bytes);
        if (status != refused[i].status)
            fail_msg("%s: status %d: %s", refused[i].to, status, status ? cola_error_text() : "accepted");
        const char *const file[] = {"m/x.safetensors"};
        assert_error_names(cola_error_text(), file, 1);
        assert_error_names(cola_error_text(), refused[i].word, 3);
        assert_int_equal(st.n_entries, 77); /* untouched */
        free(bytes);
    }
}

static void header_length_is_held_against_the_file(void **state)
{
    (void)state;
    static const uint64_t lengths[] = {3,          4,          1000,           1ull << 31,
                                       1ull << 32, 1ull << 63, UINT64_MAX - 7, UINT64_MAX};
    unsigned char bytes[8 + 2];
    struct cola_safetensors st;
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        for (int b = 0; b < 8; b++) bytes[b] = (unsigned char)(lengths[i] >> 8 * b);
        bytes[8] = '{', bytes[9] = '}';
        assert_int_equal(cola_safetensors_parse(bytes, sizeof bytes, "m/x.safetensors", &st), COLA_ERR_INPUT);
        assert_non_null(strstr(cola_error_text(), "only 2 follow"));
    }
}

/* Cut anywhere, or with a byte too many, a file is refused; nothing outside is read (AddressSanitizer sees
 * it). */
static void every_cut_is_refused(void **state)
{
    (void)state;
    unsigned char whole[8 + sizeof GOOD + N_DATA];
    size_t n = tiny_file(whole, GOOD, 0, N_DATA);
    for (size_t cut = 0; cut < n; cut++) {
        struct cola_safetensors st;
        void *bytes = malloc(cut ? cut : 1);
        assert_non_null(bytes);
        memcpy(bytes, whole, cut);
        assert_int_equal(cola_safetensors_parse(bytes, cut, "m/x.safetensors", &st), COLA_ERR_INPUT);
        free(bytes);
    }
}

static void long_name_is_refused(void **state)
{
    (void)state;
    char header[TINY_TEXT_BYTES] = GOOD, name[300];
    struct cola_safetensors st;
    void *bytes;
    snprintf(name, sizeof name, "\"%0256d\":", 0);
    replace_once(header, "\"b\":", name);
    assert_int_equal(parse(header, N_DATA, &st, &bytes), COLA_ERR_INPUT);
    assert_non_null(strstr(cola_error_text(), "longer than 255"));
    free(bytes);
}

static void index_lists_each_shard_once(void **state)
{
    (void)state;
    char text[TINY_TEXT_BYTES];
    struct cola_shard_index index;
    tiny_index(text);
    assert_int_equal(cola_shard_index_parse(text, strlen(text), "m/i.json", &index), COLA_OK);
    assert_int_equal(index.n_shards, 2);
    assert_string_equal(index.shard[0], "a.safetensors");
    assert_string_equal(index.shard[1], "b.safetensors");
    cola_shard_index_fini(&index);
}

static void refused_indices_name_file_and_tensor(void **state)
{
    (void)state;
    static const struct {
        const char *to; /* for the shard of model.norm.weight, the last entry */
        const char *word[2];
    } cases[] = {
        {"\"../b.safetensors\"", {"model.norm.weight", "../b.safetensors"}},
        {"\"/b.safetensors\"", {"model.norm.weight", "/b.safetensors"}},
        {"\"x/b.safetensors\"", {"model.norm.weight", "x/b.safetensors"}},
        {"\".safetensors\"", {"model.norm.weight"}},
        {"\".b.safetensors\"", {"model.norm.weight"}},
        {"\"b.bin\"", {"model.norm.weight", "b.bin"}},
        {"\"b\\n.safetensors\"", {"model.norm.weight"}},
        {"\"\"", {"model.norm.weight"}},
        {"7", {"model.norm.weight", "found 7"}},
        {"null", {"model.norm.weight", "null"}},
        {"\"b.safetensors\",\"\":\"b.safetensors\"", {"weight_map", "name is empty"}},
        {"\"b.safetensors\",\"model.norm.weight\":\"a.safetensors\"", {"duplicate"}},
        {"}", {"JSON"}},
    };
    struct cola_shard_index index;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[TINY_TEXT_BYTES], to[200];
        tiny_index(text);
        snprintf(to, sizeof to, "\"model.norm.weight\":%s", cases[i].to);
        replace_once(text, "\"model.norm.weight\":\"b.safetensors\"", to);
        if (cola_shard_index_parse(text, strlen(text), "m/i.json", &index) != COLA_ERR_INPUT)
            fail_msg("%s was accepted", cases[i].to);
        const char *const file[] = {"m/i.json"};
        assert_error_names(cola_error_text(), file, 1);
        assert_error_names(cola_error_text(), cases[i].word, 2);
    }
    static const char *const no_map[] = {"{}", "{\"weight_map\":[]}", "{\"weight_map\":null}", "[]", ""};
    for (size_t i = 0; i < sizeof no_map / sizeof *no_map; i++)
        assert_int_equal(cola_shard_index_parse(no_map[i], strlen(no_map[i]), "m/i.json", &index),
                         COLA_ERR_INPUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_header_gives_entries_by_place),
        cmocka_unit_test(unusual_but_valid_headers_are_read),
        cmocka_unit_test(refused_headers_name_file_and_tensor),
        cmocka_unit_test(header_length_is_held_against_the_file),
        cmocka_unit_test(every_cut_is_refused),
        cmocka_unit_test(long_name_is_refused),
        cmocka_unit_test(index_lists_each_shard_once),
        cmocka_unit_test(refused_indices_name_file_and_tensor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
