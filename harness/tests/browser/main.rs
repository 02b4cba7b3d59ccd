//! The HTML report in a real browser, made from records of a real run.

mod cdp;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use cdp::Browser;
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use modrig::report::{Record, Verdict, collection::Collection, html};
use serde_json::{Value, json};
use tempfile::TempDir;

const KERNEL: &str = "6.1";

/// A case of the page that failed, after its record was changed.
const FAILED: &str = "6.1::stub::removes_itself";

/// What a log could do to a page.
const EVIL: &str = "</pre></script><script>document.title = 'owned'</script><img src=http://example.invalid/x>";

/// Contrast of text that people with weak eyes can read: WCAG 2.2, criterion 1.4.3.
const CONTRAST_MIN: f64 = 4.5;

/// What is done with a page in the browser, whose file is there, too.
type Test = fn(&mut Browser, &Path);

fn main() -> ExitCode {
    let tests: [(&str, Test); 4] = [
        ("a_click_or_a_key_away_from_each_cell_is_its_evidence", evidence),
        ("filters_leave_what_was_asked_for", filters),
        ("readable_on_a_phone_and_a_desk_in_light_and_dark", readable),
        ("without_javascript_it_is_a_table_with_details", without_javascript),
    ];
    let trials = tests.map(|(name, test)| Trial::ignorable_test(name, move || in_browser(test)));
    libtest_mimic::run(&Arguments::from_args(), trials.into()).exit_code()
}

fn in_browser(test: Test) -> Result<Completion, Failed> {
    let Some(program) = cdp::program() else {
        return Ok(Completion::ignored_with("no Chromium here; `ci/setup test` installs it"));
    };
    let desk = tempfile::tempdir()?;
    let page = page(&desk);
    let mut browser = Browser::start(&program);
    browser.look(1280, "light");
    browser.open(&page, "");
    test(&mut browser, &page);
    browser.assert_quiet();
    Ok(Completion::Completed)
}

/// A page of real records, one of them turned into a failure with a log that means harm.
fn page(desk: &TempDir) -> PathBuf {
    let directory = desk.path().join("records");
    let run = Command::new(env!("CARGO_BIN_EXE_modrig"))
        .args(["run", "-k", KERNEL, "stub::", "unload::u", "--records"])
        .arg(&directory)
        .output()
        .expect("modrig runs");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stdout));
    let mut records = Collection::read(&[directory]).expect("records of the run").records;
    let failed = records.iter_mut().find(|record| record.path() == FAILED).expect("the case has run");
    failed.verdict = Verdict::Failed { why: "expected `0`, saw `-1 (EPERM)`".into(), log: EVIL.into() };
    let skipped = Verdict::Skipped { why: "needs kernel 6.5 or newer".into() };
    let late = Record { kernel: "7.3".into(), verdict: skipped, steps: Vec::new(), ..failed.clone() };
    records.push(late);
    let file = desk.path().join("report.html");
    fs::write(&file, html::report(&Collection::of(records)).expect("a page")).expect("room for a page");
    file
}

fn link(id: &str) -> String {
    format!("td a[href='#{id}']")
}

fn is_open(browser: &mut Browser, id: &str) {
    browser.wait_for(&format!(
        "document.querySelector('dialog').open && decodeURIComponent(location.hash) === '#{id}'
         && document.querySelector('dialog h2')?.textContent === '{}'",
        id.split_once("::").expect("a kernel and a scenario").1
    ));
}

fn evidence(browser: &mut Browser, page: &Path) {
    let passed = "6.1::stub::stays_beside_its_target";
    let first = browser.value("document.querySelector('td.passed a').getAttribute('href').slice(1)");
    browser.click(&link(FAILED));
    is_open(browser, FAILED);
    let text = browser.value("document.querySelector('dialog').innerText");
    let text = text.as_str().expect("a text");
    for part in [
        "an init that loads another module and returns -1",
        "stub module article (2.6.17)",
        "expected `0`, saw `-1 (EPERM)`",
        "extra/stub.ko, \"result=fail\", 0)",
        "\u{2192} -1 (EPERM)",
        "stub: call_usermodehelper = 0",
        "6.1.0-",
        "modrig run -k 6.1 stub::removes_itself",
        EVIL,
    ] {
        assert!(text.contains(part), "no `{part}` in\n{text}");
    }
    assert!(browser.value("document.title").as_str().expect("a title").starts_with("modrig: "));
    assert_told(browser, &[("dialog", "stub::removes_itself")]);

    // The same scenario on the next kernel, and back to where the reader was.
    browser.press("ArrowRight");
    is_open(browser, "7.3::stub::removes_itself");
    browser.press("Escape");
    browser.wait_for("!document.querySelector('dialog').open && location.hash === ''");
    assert_eq!(browser.value("document.activeElement.getAttribute('href')"), json!("#7.3::stub::removes_itself"));

    // By keyboard: one stop for Tab in the matrix, arrows in it, Enter opens.
    browser.value("document.querySelector('td.passed a').focus()");
    browser.press("ArrowDown");
    browser.press("Enter");
    browser.wait_for("document.querySelector('dialog').open");
    assert_ne!(browser.value("decodeURIComponent(location.hash).slice(1)"), first);
    assert_eq!(browser.value("document.querySelectorAll('td a[tabindex=\"0\"]').length"), json!(1));

    // By address.
    browser.open(page, &format!("#{passed}"));
    is_open(browser, passed);
    browser.call("Browser.grantPermissions", &json!({"permissions": ["clipboardSanitizedWrite"]}));
    browser.click("dialog .command button");
    browser.wait_for("['Copied', 'Selected'].includes(document.querySelector('dialog .command button').textContent)");
}

/// Scenarios that can be seen, as `group::name`.
fn shown(browser: &mut Browser) -> Vec<String> {
    let rows = browser.value(
        "[...document.querySelectorAll('.matrix tr:not(.group)')].filter(row => row.closest('tbody') && row.offsetHeight)
         .map(row => row.closest('tbody').dataset.group + '::' + row.querySelector('code').textContent)",
    );
    serde_json::from_value(rows).expect("names")
}

fn filters(browser: &mut Browser, _: &Path) {
    let all = shown(browser);
    assert!(all.len() > 8, "{all:?}");
    browser.press("/");
    browser.write("REMOVES itself");
    browser.wait_for("document.querySelector('output').textContent.startsWith('1 of ')");
    assert_eq!(shown(browser), ["stub::removes_itself"]);
    browser.value("document.querySelector('form').elements.text.value = ''");
    browser.click("input[value=failed]");
    assert_eq!(shown(browser), ["stub::removes_itself"]);
    browser.click("input[value=failed]");
    assert_eq!(shown(browser), all);

    // What a person would do with the keyboard in these lists.
    let choose = |name: &str, value: &str| {
        format!(
            "(() => {{ const field = document.querySelector('form').elements.{name}; field.value = '{value}';
            field.dispatchEvent(new Event('input', {{bubbles: true}})); }})()"
        )
    };
    browser.value(&choose("group", "unload"));
    assert!(shown(browser).iter().all(|name| name.starts_with("unload::")));
    browser.value(&choose("group", ""));
    browser.value(&choose("kernel", "7.3"));
    let heads = "[...document.querySelectorAll('.matrix thead th')].filter(head => head.offsetWidth).length";
    assert_eq!(browser.value(heads), json!(2));
    browser.value(&choose("kernel", ""));

    browser.click("[data-group=stub] button");
    let open: Vec<String> = all.iter().filter(|name| !name.starts_with("stub::")).cloned().collect();
    assert_eq!(shown(browser), open);
    browser.click("[data-group=stub] button");
    browser.click("[data-fold]");
    assert_eq!(shown(browser), Vec::<String>::new());

    let wanted =
        [("search", "Filter the matrix"), ("columnheader", "6.1"), ("button", "stub"), ("rowheader", "unload")];
    assert_told(browser, &wanted);
}

/// A screen reader is told of these roles and names.
#[track_caller]
fn assert_told(browser: &mut Browser, wanted: &[(&str, &str)]) {
    let told = browser.accessible();
    for (role, name) in wanted {
        let names: Vec<&String> = told.iter().filter(|node| node.0 == *role).map(|node| &node.1).collect();
        assert!(names.iter().any(|told| told.contains(name)), "no {role} `{name}` among {names:?}");
    }
}

fn readable(browser: &mut Browser, page: &Path) {
    for (width, device) in [(360, "phone"), (1280, "desk")] {
        for scheme in ["light", "dark"] {
            browser.look(width, scheme);
            browser.open(page, "");
            browser.value("document.querySelectorAll('details').forEach(details => { details.open = true; })");
            assert_fits(browser, "document.documentElement", width);
            assert_contrast(browser, "document.body");
            browser.picture(&format!("{device}-{scheme}"));
            browser.value("document.querySelector('#matrix').scrollIntoView()");
            browser.picture(&format!("{device}-{scheme}-matrix"));
            browser.open(page, &format!("#{FAILED}"));
            is_open(browser, FAILED);
            assert_fits(browser, "document.querySelector('dialog')", width);
            assert_contrast(browser, "document.querySelector('dialog')");
            browser.picture(&format!("{device}-{scheme}-case"));
        }
    }
    let plain = "getComputedStyle(document.body).backgroundColor";
    let dark = browser.value(plain);
    browser.look(1280, "light");
    assert_ne!(browser.value(plain), dark, "light and dark look the same");
}

/// Nothing has to be scrolled sideways.
#[track_caller]
fn assert_fits(browser: &mut Browser, element: &str, width: u32) {
    let seen = browser.value(&format!("[{element}.scrollWidth, {element}.clientWidth]"));
    let (content, room) = (seen[0].as_f64().expect("a width"), seen[1].as_f64().expect("a width"));
    assert!(content <= room && room <= f64::from(width), "{element} is {content} wide in {room} of {width}");
}

/// All text in the element stands out from what is behind it.
#[track_caller]
fn assert_contrast(browser: &mut Browser, element: &str) {
    let weak = browser.value(&format!("({CONTRAST})({element}, {CONTRAST_MIN})"));
    assert_eq!(weak, json!([]), "too little contrast");
}

/// Gives the texts in an element whose contrast is less than what is wanted, each with its ratio.
const CONTRAST: &str = r#"(root, least) => {
    const channels = color => color.match(/[\d.]+/g).map(Number);
    const over = (top, below) => {
        const alpha = top[3] ?? 1;
        return [0, 1, 2].map(i => top[i] * alpha + below[i] * (1 - alpha));
    };
    const behind = element => {
        if (!element) return [255, 255, 255];
        const color = channels(getComputedStyle(element).backgroundColor);
        return (color[3] ?? 1) === 1 ? color : over(color, behind(element.parentElement));
    };
    const light = color => {
        const [r, g, b] = color.map(c => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const weak = [];
    const texts = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
    for (let text; text = texts.nextNode();) {
        const element = text.parentElement;
        if (!text.data.trim() || !element.checkVisibility() || ["STYLE", "SCRIPT", "NOSCRIPT"].includes(element.tagName)) continue;
        const back = behind(element);
        const [high, low] = [light(over(channels(getComputedStyle(element).color), back)), light(back)].sort((a, b) => b - a);
        const ratio = (high + 0.05) / (low + 0.05);
        if (ratio < least) weak.push([text.data.trim().slice(0, 40), ratio]);
    }
    return weak;
}"#;

fn without_javascript(browser: &mut Browser, page: &Path) {
    browser.call("Emulation.setScriptExecutionDisabled", &json!({"value": true}));
    browser.open(page, "");
    assert_told(browser, &[("rowheader", "removes_"), ("columnheader", "7.3"), ("link", "FAIL")]);
    assert!(!browser.accessible().iter().any(|(role, _)| role == "search"), "filters that cannot work");
    browser.click("details.finding summary");
    let open = browser.value("document.querySelector('details.finding').innerText");
    assert!(matches!(&open, Value::String(text) if text.contains(EVIL)), "{open}");
    browser.picture("without-javascript");
}
