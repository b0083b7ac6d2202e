# Warnings are errors; ccache and mold are used where they are installed.
add_compile_options(-Wall -Wextra -Werror -Wno-missing-field-initializers)
# g++ 12 reports these falsely inside std::variant and std::string at -O2.
add_compile_options($<$<COMPILE_LANG_AND_ID:CXX,GNU>:-Wno-maybe-uninitialized>
                    $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-Wno-restrict>)

find_program(CDC_CCACHE ccache)
if(CDC_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CDC_CCACHE})
endif()
find_program(CDC_MOLD mold)
if(CDC_MOLD)
  add_link_options(-fuse-ld=mold)
endif()

set(CDC_SANITIZE "" CACHE STRING "sanitizers, comma separated: address,undefined or thread")
if(CDC_SANITIZE)
  add_compile_options(-fsanitize=${CDC_SANITIZE} -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${CDC_SANITIZE})
endif()
