//! What eyes see of a share consumer: its place in the group, and the settings that matter.

use super::application::{commit_name, setting};
use super::groups::MembershipView;
use crate::app::{CommitMode, ConsumerAppSetup};
use crate::base::config::{ConsumerConfig, ShareAcquireMode};
use crate::client::share_consumer::ShareConsumer;
use std::rc::Rc;

/// What a share consumer knows of its membership.
pub(super) fn membership(client: &ShareConsumer) -> Option<MembershipView> {
    let member = client.membership().member();
    let member_id = client.membership().member_id().cloned().unwrap_or_else(|| Rc::from(""));
    Some(MembershipView {
        member_id,
        generation: member.epoch(),
        state: member.state().name(),
        leader: false,
        by_epochs: true,
    })
}

pub(super) fn settings(setup: &ConsumerAppSetup) -> Vec<(Rc<str>, Rc<str>, bool)> {
    let (config, default) = (&setup.config, ConsumerConfig::default());
    let mode = config.share_acknowledgement_mode;
    let is_default = mode == default.share_acknowledgement_mode;
    let mut settings = vec![setting("share.acknowledgement.mode", mode.name(), is_default)];
    if config.share_acquire_mode == ShareAcquireMode::RecordLimit {
        settings.push(setting("share.acquire.mode", config.share_acquire_mode.name(), false));
    }
    if setup.commit != CommitMode::Auto {
        settings.push(setting("commit", commit_name(setup.commit), false));
    }
    settings
}
