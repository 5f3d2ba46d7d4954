use super::*;

const A: &str = "6703723351497508865";
const B: &str = "7326640926458743557";

fn imported(text: &str) -> Imported {
    read(Path::new("list.csv"), text, &Common::default())
}

fn told(text: &str) -> Vec<String> {
    imported(text).problems.iter().map(ToString::to_string).collect()
}

#[rstest::rstest]
#[case::comma(format!("Link,Region,Tags\nhttps://www.tiktok.com/music/x-{A},\"us, LV\",\"a, b c\"\n"))]
#[case::semicolon_with_mark(format!("\u{feff}clip id;Regions;Tags;Likes\r\n\"{A}\";US LV;a|b c;7\r\n\r\n"))]
#[case::tab(format!("Clip\tregion\ttag\n{A}\tUS/LV\ta;b c"))]
fn a_spreadsheet_is_read_by_its_headings(#[case] text: String) {
    let imported = imported(&text);
    assert_eq!(imported.problems, []);
    let common = Common {
        regions: regions("US,LV").unwrap(),
        tags: vec!["a".to_owned(), "b c".to_owned()],
        ..Common::default()
    };
    assert_eq!(imported.wishes, [common.wish(A.parse().unwrap())]);
}

#[test]
fn a_list_has_a_sound_on_each_line_and_comments() {
    let text = format!("# mine\n\n{A}\nhttps://www.tiktok.com/music/some-thing-{B}  # the other\n");
    let clips: Vec<String> = imported(&text)
        .wishes
        .iter()
        .map(|w| w.clip_id.to_string())
        .collect();
    assert_eq!(clips, [A, B]);
}

#[test]
fn what_a_line_leaves_open_is_as_for_all_and_tags_come_together() {
    let common = Common {
        regions: regions("DE").unwrap(),
        schedule: Some("@weekly".to_owned()),
        tags: vec!["list".to_owned()],
        ..Common::default()
    };
    let text = format!(
        "sound,clip_id,period,tags,schedule,note\nNew Sun,{A},\"7,auto\",own,,n\nOld,{B},,,@daily,\n"
    );
    let wishes = read(Path::new("list.csv"), &text, &common).wishes;
    assert_eq!(
        (wishes[0].periods.len(), wishes[0].note.as_deref()),
        (2, Some("n"))
    );
    assert_eq!(wishes[0].tags, ["list", "own"]);
    assert_eq!(wishes[0].schedule.as_deref(), Some("@weekly"));
    assert_eq!(wishes[1].schedule.as_deref(), Some("@daily"));
    assert_eq!(wishes[1].regions, common.regions);
}

#[test]
fn every_bad_line_is_told_with_its_number() {
    let text = format!(
        "clip,region,period,schedule\n{A},US,7,\n6.70372E+18,US,7,\n,LV,,\n{B},USA,8,at noon\n\"{B}\",LV,120,\n"
    );
    let told = told(&text);
    let lines: Vec<&str> = told.iter().map(|t| t.split(": ").next().unwrap()).collect();
    let at = |line: usize| format!("list.csv:{line}:1");
    assert_eq!(lines, [at(3), at(4), at(5), at(5), at(5)]);
    assert!(told[0].contains("rounded"), "{}", told[0]);
    assert_eq!(imported(&text).wishes.len(), 2);
}

#[rstest::rstest]
#[case("", "no sounds")]
#[case("title,likes\nNew Sun,7\n", "which column")]
#[case("https://vm.tiktok.com/ZM123/\n", "short link")]
#[case("clip\n", "no sounds")]
fn a_file_of_which_nothing_can_be_made_says_why(#[case] text: &str, #[case] why: &str) {
    assert!(told(text)[0].contains(why), "{:?}", told(text));
}

#[test]
fn headings_that_mean_nothing_are_named() {
    assert_eq!(imported(&format!("clip,likes\n{A},7\n")).unused, ["likes"]);
}
