#include <allot/structure/aligned_buffer.hpp>

int main() {
    allot::aligned_buffer<float> samples;
    samples.resize(3);
    return samples[3] > 0;
}
