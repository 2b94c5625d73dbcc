/* Version, names of statuses, messages. */
#include "check.h"

#include <limits.h>
#include <pthread.h>
#include <string.h>

static void *read_error(void *length) {
    *(size_t *)length = strlen(dafl_last_error());
    return NULL;
}

void test_status(void) {
    CHECK(strcmp(dafl_version(), DAFL_VERSION) == 0);
    CHECK(strcmp(dafl_last_error(), "") == 0);

    for (int status = DAFL_ERROR_RANK; status <= DAFL_OK; status++) {
        CHECK(strlen(dafl_status_name(status)) > 0);
        for (int other = status + 1; other <= DAFL_OK; other++) {
            CHECK(strcmp(dafl_status_name(status), dafl_status_name(other)) != 0);
        }
    }
    CHECK(strlen(dafl_status_name(12345)) > 0);
    CHECK(strlen(dafl_status_name(INT_MIN)) > 0);
    CHECK(strlen(dafl_status_name(INT_MAX)) > 0);

    /* The message belongs to the thread, and lasts until its next call that can fail. */
    dafl_train_options options;
    REFUSES("struct_size", "", dafl_train_options_init(&options, 0));
    size_t length = 1;
    pthread_t thread;
    pthread_create(&thread, NULL, read_error, &length);
    pthread_join(thread, NULL);
    CHECK(length == 0);
    CHECK(strlen(dafl_last_error()) > 0);
    WORKS(dafl_train_options_init(&options, sizeof options));
    CHECK(strcmp(dafl_last_error(), "") == 0);

    /* Text from a caller goes into messages, whatever it is. */
    dafl_network *network = NULL;
    EXPECT(DAFL_ERROR_INVALID_ARGUMENT, dafl_network_create("%s%n\xff\xfe\n", 0, &network));
    char long_name[20000];
    memset(long_name, 'x', sizeof long_name);
    long_name[sizeof long_name - 1] = 0;
    EXPECT(DAFL_ERROR_INVALID_ARGUMENT, dafl_network_create(long_name, 0, &network));
}
