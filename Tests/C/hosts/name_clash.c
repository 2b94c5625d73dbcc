/* A host with names of its own that other libraries have too: those of json-c and of a BLAS. libdafl must call neither. */
#include <dafl.h>
#include <stdio.h>
#include <stdlib.h>

void json_object_iter_next(void *iterator);
void cblas_sgemm(void);

void json_object_iter_next(void *iterator) {
    (void)iterator;
    abort();
}

void cblas_sgemm(void) { abort(); }

/* A layer with more weights than caches hold, of which a copy is read back from the file that the argument names. */
int main(int count, char **arguments) {
    static float images[2304], outputs[2304];
    dafl_network *network = NULL, *copy = NULL;
    dafl_status status = count > 1 ? dafl_network_create("mlp-2304-2304", 1, &network) : 2;
    if (!status) status = dafl_network_save(network, arguments[1]);
    if (!status) status = dafl_network_load(arguments[1], &copy);
    if (!status) status = dafl_network_predict(copy, images, 1, outputs);
    if (status) printf("%s: %s\n", dafl_status_name(status), dafl_last_error());
    dafl_network_destroy(copy);
    dafl_network_destroy(network);
    return status != 0;
}
