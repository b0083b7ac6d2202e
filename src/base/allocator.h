// How libc's allocator treats large blocks in this process. Called once, first thing in main.
#pragma once

namespace cdc {

// Blocks of 1 MiB and more always come from the system and go back to it when they are freed. By
// default libc takes them from its heaps once one was freed; RocksDB's memtables consist of such
// blocks, and small ones that lie between them then keep the memory of all of them (up to 20 MB of
// 155, seen).
//
// Up to 8 MiB that are free at the end of a heap stay there, since a backlog takes and frees more
// than that between two ticks. All threads share two heaps: each keeps as much.
void SetUpAllocator();

}  // namespace cdc
