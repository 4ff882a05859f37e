#include <allot/governance/tag.hpp>

void tag_table_full() {
    for (char first = 'a'; first <= 'z'; ++first)
        for (char second = 'a'; second <= 'z'; ++second)
            for (const char third : {'1', '2'}) {
                const char text[] = {first, second, third, 0};
                (void)allot::tag::try_make(text);
            }
    (void)allot::tag::make("one more");
}
