# Compiles, links and runs a program with what pkg-config says, without CMake's package file:
#   cmake -DPREFIX=DIR -DLIBDIR=lib -DBINARY=DIR -DCOMPILER=CXX "-DFLAGS=..." -DSOURCE=FILE.cpp -P pkgconfig.cmake
set(ENV{PKG_CONFIG_PATH} ${PREFIX}/${LIBDIR}/pkgconfig)
execute_process(COMMAND pkg-config --static --cflags --libs glimpse
  OUTPUT_VARIABLE found OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
separate_arguments(found UNIX_COMMAND "${found}")
separate_arguments(FLAGS UNIX_COMMAND "${FLAGS}")
file(REMOVE_RECURSE ${BINARY})
file(MAKE_DIRECTORY ${BINARY})
execute_process(COMMAND ${COMPILER} -std=c++20 ${FLAGS} ${SOURCE} -o ${BINARY}/program ${found}
  COMMAND_ECHO STDOUT COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND ${BINARY}/program COMMAND_ERROR_IS_FATAL ANY)
