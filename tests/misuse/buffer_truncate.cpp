#include <allot/structure/buffer.hpp>

int main() {
    allot::buffer message;
    message.append("0123456789");
    message.truncate(11);
}
