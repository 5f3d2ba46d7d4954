//! The page as people meet it: in a real browser, with a pointer, with keys alone, on a telephone, in the
//! dark, without JavaScript. Each test ends with what the browser complained of and whom it asked.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests are tests too"
)]

mod common;
#[path = "browser/driver.rs"]
mod driver;

use std::os::unix::fs::PermissionsExt;

use common::Backend;
use common::program::Place;
use common::site::{HOSTILE, NEW_SUN, Site};
use driver::Browser;
use fantoccini::key::Key;
use rstest::rstest;
use serde_json::{Value, json};

const TOKEN: &str = "a-token-for-tests-0123";

/// The sound that gets the longest title.
const LONG: &str = "7011536772089924609";

/// More sounds than a page has, one of them with the longest title.
const MANY: &str = "
    INSERT INTO targets (id, clip_id, region, period, schedule, time_zone, interval_seconds, slots_from, tags, added_at)
    WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 120)
    SELECT 100 + n, CAST(7200000000000000000 + n AS TEXT), 'US', '7', '15 6 * * *', 'UTC', 86400, 0, '[]', 0 FROM n;
    UPDATE sounds SET title = replace('xxxxxxxxxx', 'x', 'thirtylettersareinthistextnow!'),
        author = replace('xxxxx', 'x', 'an author with a long name ') WHERE title = 'Paper Boats';";

/// Ages of several weeks.
const AGES: &str = "
    INSERT INTO age_scores (snapshot_id, age_level, score) VALUES
        (1, 3, 50), (1, 4, 30), (1, 5, 20), (3, 3, 61), (3, 4, 28), (3, 5, 11);";

/// The pages, each as it is with most on it.
fn pages() -> [String; 7] {
    [
        "/".to_owned(),
        "/?view=charts".to_owned(),
        "/?q=nothing+is+called+so".to_owned(),
        format!("/sounds/{NEW_SUN}?region=US"),
        format!("/sounds/{NEW_SUN}?region=LV"),
        "/operations".to_owned(),
        "/login".to_owned(),
    ]
}

/// Waits until the script has made the chart of an index tell its days.
async fn until_the_chart_reads(browser: &Browser) {
    browser
        .until("document.querySelector('svg.index[tabindex]') !== null")
        .await;
}

#[rstest]
#[tokio::test]
async fn a_sound_is_found_by_the_filter_and_seen_in_each_of_its_regions(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let site = Site::with_history(backend, AGES).await;
    let browser = Browser::at(&site).await;
    browser.go("/").await;
    assert_eq!(browser.texts("table.overview tbody tr").await.len(), 7);

    browser.click("[name=q]").await;
    browser.press("sun").await;
    browser.click("form.filter button").await;
    browser
        .until("document.querySelectorAll('table.overview tbody tr').length === 2")
        .await;
    assert_eq!(browser.texts("th.sound a").await, ["New Sun", "New Sun"]);
    browser.click("select[name=region] option[value=LV]").await;
    browser.click("form.filter button").await;
    browser
        .until("document.querySelectorAll('table.overview tbody tr').length === 1")
        .await;
    assert_eq!(browser.place().await, "/?q=sun&region=LV&state=&tag=&sort=change");

    browser.click("th.sound a").await;
    browser.until("document.title.startsWith('New Sun')").await;
    assert!(browser.text("main").await.contains("There is no index yet."));
    browser
        .click("nav[aria-label=Regions] a:not([aria-current])")
        .await;
    until_the_chart_reads(&browser).await;
    assert_eq!(browser.place().await, format!("/sounds/{NEW_SUN}?region=US"));
    let sound = browser.text("main").await;
    for part in [
        "Lithuania",
        "Windows behind it",
        "18–24",
        "On charts",
        "Slots",
        "soundwatch did not run",
    ] {
        assert!(sound.contains(part), "{part} is not in {sound}");
    }
    assert_eq!(browser.texts("svg.shares").await.len(), 1, "ages over time");

    browser.click("nav.places a[href='/operations']").await;
    browser.until("document.title.startsWith('Operations')").await;
    let operations = browser.text("main").await;
    for part in [
        "Budget",
        "Outcomes by day",
        "What went wrong last",
        "Night Drive",
        "Next slots",
        "Workers",
    ] {
        assert!(operations.contains(part), "{part} is not in {operations}");
    }
    browser.end().await;
}

#[tokio::test]
async fn the_list_is_sorted_by_its_headings_and_paged() {
    let site = Site::with_history(Backend::Sqlite, MANY).await;
    let browser = Browser::at(&site).await;
    browser.go("/").await;
    let first = |text: &str| format!("document.querySelector('th.sound a').innerText === '{text}'");
    browser.click("thead th:first-child a").await;
    browser.until(&first("7100000000000000007")).await;
    browser.click("thead th:first-child a").await;
    browser
        .until(&first("thirtylettersareinthistextnow!".repeat(10).as_str()))
        .await;
    assert_eq!(
        browser
            .value("document.querySelector('th[aria-sort]').ariaSort")
            .await,
        "descending"
    );
    assert_eq!(browser.texts("table.overview tbody tr").await.len(), 100);
    browser.click("a[rel=next]").await;
    browser
        .until("document.querySelectorAll('table.overview tbody tr').length === 27")
        .await;
    assert!(
        browser
            .text(".counted .hint")
            .await
            .starts_with("101 to 127 of 127")
    );
    browser.click("nav[aria-label=View] a:not([aria-current])").await;
    browser
        .until("document.querySelectorAll('ul.multiples li').length === 27")
        .await;
    browser.end().await;
}

#[tokio::test]
async fn a_chart_tells_the_day_under_the_pointer() {
    let site = Site::with_history(Backend::Sqlite, "SELECT 1").await;
    let browser = Browser::at(&site).await;
    browser.go(&format!("/sounds/{NEW_SUN}?region=US")).await;
    until_the_chart_reads(&browser).await;
    // Four days lie between the axis and the margin on the right, 40 of 720 pixels each.
    let width = browser
        .value("document.querySelector('svg.index').getBoundingClientRect().width")
        .await;
    let pixel = width.as_f64().unwrap() / 720.0;
    for (day, reads) in [
        (0.0, "2026-01-30: 30.1, between 29.7 and 30.3"),
        (2.0, "2026-02-01: 36.0, between 35.6 and 36.2"),
        (2.9, "2026-02-02: 100.0, between 100.0 and 100.0, may be restated"),
    ] {
        let right = (40.0 + day * 640.0 / 3.0 - 360.0) * pixel;
        browser.point("svg.index", right, 20.0).await;
        assert_eq!(browser.text(".reading").await, reads);
    }
    // The cursor stands on the mark of the newest day, to a fifth of a pixel.
    let beside = browser
        .value(
            "[...document.querySelectorAll('svg.index circle')].at(-1).cx.baseVal.value \
             - document.querySelector('svg.index .cursor').x1.baseVal.value",
        )
        .await;
    assert!(beside.as_f64().unwrap().abs() <= 2.0, "{beside}");
    browser.end().await;
}

/// Presses the Tab key until an expression is true, and sees that each place on the way shows its focus.
async fn tab_until(browser: &Browser, expression: &str) {
    for _ in 0..40 {
        browser.press(&char::from(Key::Tab).to_string()).await;
        let shown = "(s => s.outlineStyle !== 'none' && s.outlineWidth !== '0px')(getComputedStyle(document.activeElement))";
        let what = browser
            .value("document.activeElement.outerHTML.slice(0, 120)")
            .await;
        assert_eq!(browser.value(shown).await, true, "no focus is seen on {what}");
        if browser.value(expression).await == json!(true) {
            return;
        }
    }
    panic!("forty times Tab, and never {expression}");
}

#[tokio::test]
async fn keys_alone_are_enough() {
    let site = Site::with_history(Backend::Sqlite, "SELECT 1").await;
    let browser = Browser::at(&site).await;
    let key = |key: Key| char::from(key).to_string();
    browser.go("/").await;
    tab_until(&browser, "document.activeElement.matches('a.skip')").await;
    let skip = browser
        .value("document.activeElement.getBoundingClientRect().left >= 0")
        .await;
    assert_eq!(skip, true, "the way past the navigation is seen");
    tab_until(&browser, "document.activeElement.name === 'q'").await;
    browser.press("sun").await;
    browser.press(&key(Key::Enter)).await;
    browser
        .until("document.querySelectorAll('table.overview tbody tr').length === 2")
        .await;
    tab_until(&browser, "document.activeElement.matches('th.sound a[href*=US]')").await;
    browser.press(&key(Key::Enter)).await;
    until_the_chart_reads(&browser).await;
    tab_until(&browser, "document.activeElement.matches('svg.index')").await;
    for (pressed, day) in [
        (Key::Home, "2026-01-30: 30.1"),
        (Key::Right, "2026-01-31: 10.1"),
        (Key::End, "2026-02-02: 100.0"),
        (Key::Left, "2026-02-01: 36.0"),
    ] {
        browser.press(&key(pressed)).await;
        let told = browser.text(".reading").await;
        assert!(told.starts_with(day), "{told}");
        let said = browser
            .value("document.activeElement.getAttribute('aria-valuetext')")
            .await;
        assert_eq!(said, json!(told), "a screen reader says the same");
    }
    tab_until(&browser, "document.activeElement.matches('summary')").await;
    browser.press(&key(Key::Enter)).await;
    browser
        .until("document.querySelector('table.weeks').checkVisibility()")
        .await;
    browser.end().await;
}

#[tokio::test]
async fn titles_that_would_be_markup_are_text() {
    let site = Site::with_history(Backend::Sqlite, HOSTILE).await;
    let browser = Browser::at(&site).await;
    let title = "<script>alert('1')</script> \"quoted\" & <b>";
    browser.go("/?q=%3Cscript%3E&tag=%22%3E%3Cb%3E").await;
    assert_eq!(
        browser.value("document.querySelector('[name=q]').value").await,
        "<script>"
    );
    assert_eq!(
        browser.value("document.querySelector('[name=tag]').value").await,
        "\"><b>"
    );
    browser.go("/").await;
    assert!(browser.texts("th.sound a").await.iter().any(|told| told == title));
    browser.go(&format!("/sounds/{NEW_SUN}?region=US")).await;
    until_the_chart_reads(&browser).await;
    assert_eq!(browser.text("h1").await, title);
    assert_eq!(
        browser.value("document.title").await,
        format!("{title} · soundwatch")
    );
    assert!(browser.text("main").await.contains("<i>Latvia"));
    for path in pages() {
        browser.go(&path).await;
        let markup = browser
            .value("document.querySelectorAll('body script, b, i, [style]').length")
            .await;
        assert_eq!(markup, 0, "{path}");
    }
    browser.end().await;
}

#[tokio::test]
async fn pages_follow_the_wish_for_light_or_dark() {
    let site = Site::with_history(Backend::Sqlite, "SELECT 1").await;
    let browser = Browser::at(&site).await;
    browser.go(&format!("/sounds/{NEW_SUN}?region=US")).await;
    for (scheme, paper, line) in [
        ("light", "rgb(255, 255, 255)", "rgb(23, 105, 170)"),
        ("dark", "rgb(20, 23, 28)", "rgb(109, 184, 242)"),
    ] {
        browser.screen(1280, scheme).await;
        assert_eq!(
            browser
                .value("getComputedStyle(document.body).backgroundColor")
                .await,
            paper
        );
        let drawn = browser
            .value("getComputedStyle(document.querySelector('svg.index .line')).stroke")
            .await;
        assert_eq!(drawn, line);
    }
    browser.end().await;
}

#[tokio::test]
async fn no_page_is_wider_than_the_screen() {
    let site = Site::with_history(Backend::Sqlite, &format!("{MANY}{AGES}")).await;
    let browser = Browser::at(&site).await;
    for width in [1280, 768, 390, 320] {
        browser.screen(width, "light").await;
        let long = format!("/sounds/{LONG}");
        for path in pages().into_iter().chain([long]) {
            browser.go(&path).await;
            let room = browser.value("document.documentElement.scrollWidth").await;
            assert!(
                room.as_u64().unwrap() <= u64::from(width),
                "{path} at {width}: {room}"
            );
        }
    }
    browser.end().await;
}

#[tokio::test]
async fn without_javascript_pages_are_read_and_filtered() {
    let site = Site::with_history(Backend::Sqlite, "SELECT 1").await;
    let browser = Browser::at(&site).await;
    let off = json!({"value": true});
    browser
        .devtools("Emulation.setScriptExecutionDisabled", off)
        .await;
    browser.go("/").await;
    browser.click("select[name=state] option[value=failing]").await;
    browser.click("form.filter button").await;
    browser.until("location.search.includes('state=failing')").await;
    assert_eq!(browser.texts("th.sound a").await, ["Paper Boats"]);
    browser.go(&format!("/sounds/{NEW_SUN}?region=US")).await;
    assert_eq!(browser.texts(".reading").await, [""; 0], "the script is off");
    assert_eq!(browser.texts("svg.index .line").await.len(), 1);
    browser.click("article summary").await;
    assert!(browser.text("table.weeks").await.contains("2026-01-30"));
    browser.end().await;
}

#[tokio::test]
async fn what_is_not_there_is_told_on_a_page_with_the_way_back() {
    let site = Site::with_history(Backend::Sqlite, "SELECT 1").await;
    let browser = Browser::at(&site).await;
    for (path, told) in [
        ("/nothing", "There is nothing here."),
        ("/sounds/1", "This sound is not known here"),
        ("/?sort=nothing", "unknown variant `nothing`"),
        ("/?page=x", "page: invalid digit"),
    ] {
        browser.go(path).await;
        let page = browser.text("main").await;
        assert!(page.contains(told), "{path}: {page}");
        browser.click("main a").await;
        browser.until("document.title.startsWith('Sounds')").await;
    }
    browser
        .end_after(&["responded with a status of 404", "responded with a status of 400"])
        .await;
}

#[tokio::test]
async fn a_token_is_asked_for_once() {
    let place = Place::empty()
        .with_setting("SOUNDWATCH__HTTP__TOKEN_FILE", "token")
        .with_setting("SOUNDWATCH__API__KEY", "sk_live_simulated")
        .with_setting("SOUNDWATCH__API__KEY_FILE", "")
        .with_setting("SOUNDWATCH__WATCHLIST__PATH", "");
    place.write("token", TOKEN);
    let mode = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(place.path().join("token"), mode).unwrap();
    let site = Site::start(place, None);
    let browser = Browser::at(&site).await;
    browser.go("/operations").await;
    assert_eq!(browser.place().await, "/login");
    browser.press("wrong").await;
    browser.press(&char::from(Key::Enter).to_string()).await;
    browser
        .until("document.querySelector('[role=alert]') !== null")
        .await;
    browser.press(TOKEN).await;
    browser.press(&char::from(Key::Enter).to_string()).await;
    browser.until("document.title.startsWith('Sounds')").await;
    assert_eq!(
        browser.value("document.cookie").await,
        "",
        "no script sees the cookie"
    );
    browser.go("/operations").await;
    assert_eq!(browser.place().await, "/operations");
    browser.end_after(&["responded with a status of 403"]).await;
}

#[tokio::test]
#[should_panic(expected = "the browser complains")]
async fn what_a_browser_complains_of_fails_its_test() {
    let site = Site::with_history(Backend::Sqlite, "SELECT 1").await;
    let browser = Browser::at(&site).await;
    browser.go("/").await;
    let foreign = "const image = new Image();
        image.onerror = () => document.title = 'refused';
        image.src = 'https://elsewhere.example/a.png';";
    browser.client.execute(foreign, Vec::new()).await.unwrap();
    browser.until("document.title === 'refused'").await;
    browser.end().await;
}

/// axe-core, as npm has put it where it belongs.
fn axe() -> String {
    let file = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/browser/node_modules/axe-core/axe.min.js"
    );
    std::fs::read_to_string(file).unwrap_or_else(|error| {
        panic!("{file}: {error}; `npm ci --prefix tests/browser` brings it, and so does scripts/test")
    })
}

#[tokio::test]
async fn axe_finds_nothing_wrong_with_any_page() {
    let site = Site::with_history(Backend::Sqlite, &format!("{HOSTILE}{AGES}")).await;
    let browser = Browser::at(&site).await;
    let axe = axe();
    let run = "const done = arguments[0];
        axe.run(document, {preload: false}).then(found => done({
            passed: found.passes.length,
            wrong: found.violations.map(v => [v.id, v.impact, v.help, v.nodes.map(n => n.html.slice(0, 200))]),
        }), error => done(String(error)));";
    let mut wrong = Vec::new();
    for (width, scheme) in [(1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")] {
        browser.screen(width, scheme).await;
        for path in pages() {
            browser.go(&path).await;
            if browser.value("document.querySelector('[data-index] .facts .big') !== null && location.search.includes('US')").await == json!(true) {
                until_the_chart_reads(&browser).await;
            }
            browser.client.execute(&axe, Vec::new()).await.unwrap();
            let found: Value = browser.client.execute_async(run, Vec::new()).await.unwrap();
            assert!(found["passed"].as_u64().unwrap_or(0) > 5, "{path}: {found}");
            for one in found["wrong"].as_array().unwrap() {
                wrong.push(format!("{path}, {width} pixels, {scheme}: {one}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    browser.end().await;
}
