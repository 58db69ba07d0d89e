//! What is on the page. Every component is a function of its props and of two contexts: the lab's handle, the language.

mod broker_card;
mod client_card;
mod events;
mod fault_form;
mod fault_list;
mod files;
mod header;
mod help;
mod hex;
mod inspector;
mod inspector_txn;
mod lanes;
mod lede;
mod ledger;
mod machine;
mod messages;
mod notices;
mod popover;
mod processor_card;
mod setting_field;
mod settings;
mod settings_group;
mod stage;
mod strip;
mod swim;
mod tabs;
mod time;
mod verdict;

pub use events::EventsTab;
pub use header::Header;
pub use help::HelpDialog;
pub use inspector::Inspector;
#[cfg(test)]
pub use lanes::LanesBox;
pub use lede::Lede;
pub use notices::Notices;
pub use popover::PopoverLayer;
pub use settings::Settings;
pub use stage::StageBox;
pub use tabs::Tabs;
pub use time::Time;
pub use verdict::Verdict;
