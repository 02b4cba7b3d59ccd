//! A real browser, driven by Chromium's DevTools protocol over two pipes: JSON messages, each ended by a NUL.

use std::{
    env,
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tempfile::TempDir;

/// Names that the same program has on different systems.
const PROGRAMS: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "chrome"];

/// A headless browser with one page; it dies with this.
pub(crate) struct Browser {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    /// What a person would call a tab.
    session: Option<String>,
    last_id: u64,
    events: Vec<Value>,
    _profile: TempDir,
}

/// Where the browser is, if there is one.
pub(crate) fn program() -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    let find = |name| env::split_paths(&path).map(|directory| directory.join(name)).find(|file| file.is_file());
    PROGRAMS.into_iter().find_map(find)
}

impl Browser {
    pub(crate) fn start(program: &Path) -> Self {
        let profile = tempfile::tempdir().expect("a directory for the browser");
        // The browser reads from descriptor 3 and writes to 4.
        let mut child = Command::new("sh")
            .args(["-c", r#"exec "$@" 3<&0 4>&1 </dev/null >/dev/null"#, "sh"])
            .arg(program)
            .args(["--headless=new", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu", "--no-first-run"])
            .args(["--disable-background-networking", "--disable-dev-shm-usage", "--disable-component-update"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("a shell");
        let input = child.stdin.take().expect("a pipe");
        let output = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut browser =
            Self { child, input, output, session: None, last_id: 0, events: Vec::new(), _profile: profile };
        let target = browser.call("Target.createTarget", &json!({"url": "about:blank"}));
        let attach = json!({"targetId": target["targetId"], "flatten": true});
        browser.session = Some(text(&browser.call("Target.attachToTarget", &attach)["sessionId"]));
        for domain in ["Page", "Runtime", "Log", "Network", "Accessibility"] {
            browser.call(&format!("{domain}.enable"), &json!({}));
        }
        browser
    }

    /// One command and its answer.
    #[track_caller]
    pub(crate) fn call(&mut self, method: &str, params: &Value) -> Value {
        self.last_id += 1;
        let mut message = json!({"id": self.last_id, "method": method, "params": params});
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        write!(self.input, "{message}\0").expect("the browser takes commands");
        loop {
            let mut bytes = Vec::new();
            self.output.read_until(0, &mut bytes).expect("the browser answers");
            bytes.pop();
            let answer: Value = serde_json::from_slice(&bytes).expect("the browser answers with JSON");
            if answer["id"] != json!(self.last_id) {
                self.events.push(answer);
                continue;
            }
            assert!(answer.get("error").is_none(), "{method}: {answer}");
            return answer["result"].clone();
        }
    }

    /// Opens a page and waits until it is there. A new address, so that nothing of the page before remains.
    pub(crate) fn open(&mut self, file: &Path, hash: &str) {
        self.call("Page.navigate", &json!({"url": "about:blank"}));
        self.call("Page.navigate", &json!({"url": format!("file://{}{hash}", file.display())}));
        self.wait_for("location.protocol === 'file:' && document.readyState === 'complete'");
    }

    /// The value of an expression.
    #[track_caller]
    pub(crate) fn value(&mut self, expression: &str) -> Value {
        let params = json!({"expression": expression, "awaitPromise": true, "returnByValue": true});
        let result = self.call("Runtime.evaluate", &params);
        assert!(result.get("exceptionDetails").is_none(), "{expression}: {result}");
        result["result"]["value"].clone()
    }

    /// Waits until an expression is true.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, expression: &str) {
        let begun = Instant::now();
        while self.value(expression) != json!(true) {
            assert!(begun.elapsed() < Duration::from_secs(60), "this never held: {expression}");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// A window of this width, and what the reader prefers.
    pub(crate) fn look(&mut self, width: u32, scheme: &str) {
        let size = json!({"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500});
        self.call("Emulation.setDeviceMetricsOverride", &size);
        let media = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.call("Emulation.setEmulatedMedia", &media);
    }

    /// A click with the mouse in the middle of an element.
    #[track_caller]
    pub(crate) fn click(&mut self, selector: &str) {
        let middle = self.value(&format!(
            "(() => {{ const element = document.querySelector({selector:?}); element.scrollIntoView({{block: 'center'}});
               const box = element.getBoundingClientRect(); return [box.x + box.width / 2, box.y + box.height / 2]; }})()"
        ));
        for kind in ["mousePressed", "mouseReleased"] {
            let event = json!({"type": kind, "x": middle[0], "y": middle[1], "button": "left", "clickCount": 1});
            self.call("Input.dispatchMouseEvent", &event);
        }
    }

    /// One key, by its name in the DOM.
    pub(crate) fn press(&mut self, key: &str) {
        let code = match key {
            "Enter" => 13,
            "Escape" => 27,
            "ArrowLeft" => 37,
            "ArrowRight" => 39,
            "ArrowDown" => 40,
            "Tab" => 9,
            "/" => 191,
            other => panic!("no code for {other}"),
        };
        let text = match key {
            "Enter" => json!("\r"),
            "/" => json!("/"),
            _ => Value::Null,
        };
        for kind in ["keyDown", "keyUp"] {
            let mut event = json!({"type": kind, "key": key, "windowsVirtualKeyCode": code});
            if kind == "keyDown" && text != Value::Null {
                event["text"] = text.clone();
            }
            self.call("Input.dispatchKeyEvent", &event);
        }
    }

    /// Text as if typed.
    pub(crate) fn write(&mut self, text: &str) {
        self.call("Input.insertText", &json!({"text": text}));
    }

    /// Roles and names of what a screen reader is told of.
    pub(crate) fn accessible(&mut self) -> Vec<(String, String)> {
        let tree = self.call("Accessibility.getFullAXTree", &json!({}));
        let nodes = tree["nodes"].as_array().expect("a tree").iter().filter(|node| node["ignored"] == json!(false));
        nodes.map(|node| (text(&node["role"]["value"]), text(&node["name"]["value"]))).collect()
    }

    /// Nothing went wrong in the page, and it asked for nothing but itself.
    #[track_caller]
    pub(crate) fn assert_quiet(&mut self) {
        self.value("1");
        for event in &self.events {
            let (method, params) = (text(&event["method"]), &event["params"]);
            let told = ["Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded"];
            assert!(!told.contains(&&*method), "{event}");
            let address = text(&params["request"]["url"]);
            let own = address.starts_with("file:") && params["type"] == "Document" || address.starts_with("data:");
            assert!(method != "Network.requestWillBeSent" || own || address == "about:blank", "{event}");
        }
    }

    /// Leaves a picture for people to look at.
    pub(crate) fn picture(&mut self, name: &str) {
        use base64::{Engine as _, prelude::BASE64_STANDARD};
        let data = text(&self.call("Page.captureScreenshot", &json!({"format": "png"}))["data"]);
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("browser");
        std::fs::create_dir_all(&directory).expect("a directory for pictures");
        let bytes = BASE64_STANDARD.decode(data).expect("a picture");
        std::fs::write(directory.join(format!("{name}.png")), bytes).expect("room for a picture");
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
