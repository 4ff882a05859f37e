#include <allot/structure/buffer.hpp>

void buffer_truncate() {
    allot::buffer message;
    message.append("0123456789");
    message.truncate(11);
}
