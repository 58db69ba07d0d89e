//! A bug of the engine, met in a call from JavaScript, is an `Error`, and the last thing this copy of the module does.
#![cfg(all(target_arch = "wasm32", feature = "js"))]

use delivery_lab::js::Lab;
use delivery_lab::js::border::guard;
use js_sys::{Error, Function};
use wasm_bindgen::prelude::*;
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_browser);

#[wasm_bindgen_test]
fn a_panic_is_an_error_and_nothing_goes_on_after_it() {
    let lab = Lab::new("lost-ack".into(), JsValue::UNDEFINED).expect("it is in the library");
    let call = Closure::<dyn Fn()>::new(|| {
        let _ = guard(|| -> Result<(), _> { panic!("a bug for the test") });
    });
    // Across JavaScript, which is where the exception is caught.
    let thrown = call.as_ref().unchecked_ref::<Function>().call0(&JsValue::NULL).expect_err("it throws");
    let told = String::from(thrown.unchecked_ref::<Error>().message());
    assert!(thrown.is_instance_of::<Error>() && told.contains("a bug for the test"), "{told}");
    assert!(told.starts_with("engine: it found a bug in itself and stopped"), "{told}");
    for again in [lab.run(), lab.state_hash(), lab.view(), Lab::library()] {
        assert_eq!(String::from(again.expect_err("it has stopped").unchecked_ref::<Error>().message()), told);
    }
    std::mem::forget(call);
}
