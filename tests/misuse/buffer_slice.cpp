#include <allot/structure/buffer.hpp>

void buffer_slice() {
    allot::buffer message;
    message.append("0123456789");
    (void)message.slice<char>({.start = 8, .count = 3})[0];
}
