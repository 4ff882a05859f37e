/* What plain.c loads. Built twice: PLUGIN_BYTES tells the blocks of the two apart. */
#include <stdlib.h>

void* volatile plugin_block;

static __attribute__((noinline)) void hidden_in_plugin(void) {
    plugin_block = malloc(PLUGIN_BYTES); /* site 3001: hidden_in_plugin */
}

void plugin_work(void) {
    hidden_in_plugin(); /* frame 3001: plugin_work */
    plugin_block = 0;
}
