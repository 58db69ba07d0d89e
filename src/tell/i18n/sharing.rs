//! What the dialog that makes links says.

/// Its texts.
#[allow(missing_docs)]
pub struct Sharing {
    pub title: &'static str,
    pub hint: &'static str,
    pub opens: &'static str,
    pub at_start: &'static str,
    pub at_moment: fn(&str) -> String,
    pub with_inputs: fn(usize) -> String,
    pub link: &'static str,
    pub length: fn(usize) -> String,
    pub too_long: &'static str,
    pub copy_link: &'static str,
    pub tag: &'static str,
    pub copy_tag: &'static str,
    pub file: &'static str,
    pub download: &'static str,
}

/// In English.
pub const EN: Sharing = Sharing {
    title: "Share this run",
    hint: "Whoever opens the link sees the same run, to the microsecond: scenario, seed, settings and faults are in the link itself.",
    opens: "It opens",
    at_start: "at the beginning",
    at_moment: |clock| format!("at this moment ({clock} s)"),
    with_inputs: |count| match count {
        1 => "with the one fault made by hand".to_owned(),
        _ => format!("with the {count} faults made by hand"),
    },
    link: "Link",
    length: |characters| format!("{characters} characters"),
    too_long: "More than 2,048 characters: some mail programs and chats cut off links as long as this. A file never is.",
    copy_link: "Copy link",
    tag: "Tag for a page of your own",
    copy_tag: "Copy embed tag",
    file: "The file opens here (drop it on the page) and with lab run.",
    download: "Download as JSON",
};

/// In Korean.
pub const KO: Sharing = Sharing {
    title: "이 실행 공유",
    hint: "링크를 여는 사람은 마이크로초까지 똑같은 실행을 봅니다. 시나리오, seed, 설정, 장애가 모두 링크 안에 들어 있습니다.",
    opens: "열리는 시점",
    at_start: "처음부터",
    at_moment: |clock| format!("지금 이 순간({clock}초)"),
    with_inputs: |count| format!("직접 일으킨 장애 {count}건 포함"),
    link: "링크",
    length: |characters| format!("{characters}자"),
    too_long: "2,048자를 넘습니다. 이렇게 긴 링크는 일부 메일 프로그램이나 채팅에서 잘릴 수 있습니다. 파일은 잘리지 않습니다.",
    copy_link: "링크 복사",
    tag: "문서에 넣을 태그",
    copy_tag: "삽입 태그 복사",
    file: "파일은 이 페이지에 끌어다 놓거나 lab run으로 열 수 있습니다.",
    download: "JSON으로 내려받기",
};
