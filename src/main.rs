//! The page: Delivery Lab in a browser tab.
#![deny(unsafe_code)]

mod ui;

fn main() {
    ui::run();
}
