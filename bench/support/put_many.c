/* Puts configurations and manifests into a registry, one after another over one connection, as
 * little as the distribution specification lets one do: POST, PUT, PUT.
 *
 *   put_many URL FILE
 *
 * FILE: a line for each image: its repository, its configuration's digest, a file with the
 * configuration, a file with the manifest, which goes under the tag "bare". Prints the seconds that
 * all of them took. */
#define _GNU_SOURCE
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

static char location[4096];

static size_t on_header(char *bytes, size_t size, size_t count, void *unused) {
    size_t length = size * count;
    (void)unused;
    if (length > 10 && strncasecmp(bytes, "Location: ", 10) == 0)
        snprintf(location, sizeof location, "%.*s", (int)strcspn(bytes + 10, "\r\n"), bytes + 10);
    return length;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *unused) {
    (void)bytes, (void)unused;
    return size * count;
}

static char *read_file(const char *name, long *size) {
    FILE *file = fopen(name, "rb");
    if (!file) {
        perror(name);
        exit(1);
    }
    fseek(file, 0, SEEK_END);
    *size = ftell(file);
    rewind(file);
    char *bytes = malloc((size_t)*size + 1);
    if (fread(bytes, 1, (size_t)*size, file) != (size_t)*size) exit(1);
    fclose(file);
    return bytes;
}

static void ask(CURL *curl, const char *method, const char *url, const char *type,
                const char *bytes, long size, long wanted) {
    char header[256];
    snprintf(header, sizeof header, "Content-Type: %s", type);
    struct curl_slist *headers = curl_slist_append(NULL, header);
    headers = curl_slist_append(headers, "Expect:");
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, size);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, bytes);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    CURLcode result = curl_easy_perform(curl);
    long status = 0;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_slist_free_all(headers);
    if (result != CURLE_OK || status != wanted) {
        fprintf(stderr, "%s %s: %s, status %ld\n", method, url, curl_easy_strerror(result), status);
        exit(1);
    }
}

static void put(CURL *curl, const char *base, const char *repository, const char *digest,
                const char *config_file, const char *manifest_file) {
    char url[8192];
    long config_size, manifest_size;
    char *config = read_file(config_file, &config_size);
    char *manifest = read_file(manifest_file, &manifest_size);
    snprintf(url, sizeof url, "%s/v2/%s/blobs/uploads/", base, repository);
    ask(curl, "POST", url, "application/octet-stream", "", 0, 202);
    snprintf(url, sizeof url, "%s%cdigest=%s", location, strchr(location, '?') ? '&' : '?', digest);
    ask(curl, "PUT", url, "application/octet-stream", config, config_size, 201);
    snprintf(url, sizeof url, "%s/v2/%s/manifests/bare", base, repository);
    ask(curl, "PUT", url, "application/vnd.oci.image.manifest.v1+json", manifest, manifest_size,
        201);
    free(config);
    free(manifest);
}

int main(int words, char **word) {
    char repository[512], digest[128], config[4096], manifest[4096];
    struct timespec begin, end;
    if (words != 3) return 2;
    FILE *list = fopen(word[2], "r");
    if (!list) return 1;
    CURL *curl = curl_easy_init();
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(curl, CURLOPT_TCP_NODELAY, 1L);
    clock_gettime(CLOCK_MONOTONIC, &begin);
    while (fscanf(list, "%511s %127s %4095s %4095s", repository, digest, config, manifest) == 4)
        put(curl, word[1], repository, digest, config, manifest);
    clock_gettime(CLOCK_MONOTONIC, &end);
    printf("%.3f\n", (double)(end.tv_sec - begin.tv_sec) +
                         (double)(end.tv_nsec - begin.tv_nsec) / 1e9);
    return 0;
}
