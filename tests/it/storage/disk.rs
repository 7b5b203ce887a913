//! Disks that fail under the real binary: full, read-only, damaged.
