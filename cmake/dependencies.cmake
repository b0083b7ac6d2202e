# Every third-party library, all from Debian 12.
find_package(Threads REQUIRED)
find_package(Protobuf REQUIRED)     # module mode: Debian ships no protobuf-config.cmake
find_package(gRPC CONFIG REQUIRED)  # needs protobuf-compiler-grpc installed as well
find_package(RocksDB CONFIG REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(rdkafka REQUIRED IMPORTED_TARGET rdkafka)  # Debian has no CMake file for it
add_library(RdKafka::rdkafka ALIAS PkgConfig::rdkafka)
find_package(SQLite3 REQUIRED)
pkg_check_modules(mariadb REQUIRED IMPORTED_TARGET libmariadb)
add_library(MariaDB::client ALIAS PkgConfig::mariadb)
find_package(spdlog CONFIG REQUIRED)
find_package(nlohmann_json CONFIG REQUIRED)
find_package(yaml-cpp CONFIG REQUIRED)
find_package(CLI11 CONFIG REQUIRED)
find_package(CURL REQUIRED)
find_package(prometheus-cpp CONFIG REQUIRED COMPONENTS core)
find_package(Boost 1.81 REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(GTest CONFIG REQUIRED)
include(GoogleTest)
