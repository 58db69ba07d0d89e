//! A replica's segments: the way to each of their batches, and out of the page.

use super::inspector::{table, text};
use crate::ui::hooks::{use_lab, use_texts};
use crate::ui::same::Same;
use crate::ui::state::{Action, Selection};
use delivery_lab::view::PartitionView;
use std::rc::Rc;
use yew::prelude::*;

#[derive(Properties, PartialEq)]
pub struct DownloadProps {
    pub node: u16,
    /// The node's name.
    pub name: Rc<str>,
    pub partition: Rc<str>,
    /// One file; all of them in an archive if absent.
    #[prop_or_default]
    pub file: Option<Rc<str>>,
}

/// Files as Kafka would hold them at this moment.
#[component]
pub fn Download(props: &DownloadProps) -> Html {
    let (lab, t) = (use_lab(), use_texts());
    let label = props.file.as_deref().map(t.download_file);
    let said = if props.file.is_some() { t.download } else { t.download_all };
    let onclick = {
        let (node, name, partition, file) =
            (props.node, props.name.clone(), props.partition.clone(), props.file.clone());
        Callback::from(move |_: MouseEvent| lab.download(node, &name, &partition, file.as_deref()))
    };
    html! { <button class="link" {onclick} aria-label={label}>{ said }</button> }
}

#[derive(Properties, PartialEq)]
pub struct SegmentsProps {
    pub broker: u16,
    pub node: Rc<str>,
    pub partition: Same<PartitionView>,
}

/// The segments: the name leads to the first batch.
#[component]
pub fn Segments(props: &SegmentsProps) -> Html {
    let (lab, t) = (use_lab(), use_texts());
    let (it, broker) = (&*props.partition, props.broker);
    let rows = it.segments.iter().map(|one| {
        let file: Rc<str> = format!("{:020}.log", one.base_offset).into();
        let name = match one.first_batch {
            None => text(&file),
            Some(first) => {
                let (lab, partition) = (lab.clone(), it.name.clone());
                let onclick = Callback::from(move |_: MouseEvent| {
                    lab.tell(Action::Select(Selection::Batch(broker, partition.clone(), first)));
                });
                html! { <button class="link" {onclick} title={(t.first_batch_of)(&file)}>{ &*file }</button> }
            }
        };
        let download =
            html! { <Download node={broker} name={props.node.clone()} partition={it.name.clone()} {file} /> };
        vec![name, text(one.bytes), text(one.batches), download]
    });
    html! {
        <div>
            { table("segments", &["file", "bytes", "batches", ""], rows.collect()) }
            <Download node={broker} name={props.node.clone()} partition={it.name.clone()} />
        </div>
    }
}
