#include <allot/structure/aligned_buffer.hpp>

void aligned_buffer_index() {
    allot::aligned_buffer<float> samples;
    samples.resize(3);
    (void)samples[3];
}
