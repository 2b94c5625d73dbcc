/* Prints for which small stacks the system makes threads. The same with the library linked as without it. */
#include <pthread.h>
#include <stdio.h>

static void *nothing(void *argument) { return argument; }

int main(void) {
    for (size_t kilobytes = 16; kilobytes <= 128; kilobytes += 16) {
        pthread_attr_t attributes;
        pthread_t thread;
        pthread_attr_init(&attributes);
        pthread_attr_setstacksize(&attributes, kilobytes * 1024);
        int refused = pthread_create(&thread, &attributes, nothing, NULL);
        if (!refused) pthread_join(thread, NULL);
        pthread_attr_destroy(&attributes);
        printf("%zu KB: %s\n", kilobytes, refused ? "refused" : "made");
    }
    return 0;
}
