/* Loads the library that its argument names, and says nothing unless that fails. */
#include <dlfcn.h>
#include <stdio.h>

int main(int count, char **arguments) {
    void *library = dlopen(count > 1 ? arguments[1] : "", RTLD_NOW | RTLD_LOCAL);
    if (!library || !dlsym(library, "dafl_version")) {
        fprintf(stderr, "%s\n", dlerror());
        return 1;
    }
    return 0;
}
