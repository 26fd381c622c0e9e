//! Every loader on a small file of its own true format, made here, and on each kind of corruption.
#![allow(clippy::unwrap_used, clippy::panic)]

mod archives;
mod cifar10;
mod idx;
mod image_files;
mod imagenet32;
mod jpeg;
mod labels;
mod make;
mod npy;
mod orientation;
