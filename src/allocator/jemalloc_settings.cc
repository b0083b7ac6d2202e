// Read by jemalloc when the program starts; the variable MALLOC_CONF goes before it.
//
// Messages are mostly 64 KiB and just above: the threads' caches hold such blocks, too. Memory that
// is not needed any more goes back to the system by a thread of jemalloc's own.
extern "C" {
extern const char* malloc_conf;
const char* malloc_conf = "background_thread:true,tcache_max:131072";
}
