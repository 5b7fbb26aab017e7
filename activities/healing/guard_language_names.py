"""What the guard watches in other languages: expressions over sources written in one form.

That form has no comments and no blanks but between words; texts stand in double quotes.
"""

Patterns = dict[str, dict[str, tuple[str, ...]]]
"""Rule to family to expressions; `any` stands for all families."""

_WORD = r"(?<![\w$.:])(?<!->)"

LANGUAGE_PATTERNS: Patterns = {
    "test-skip": {
        "javascript": (
            r"\b(?:it|test|describe|suite|context|specify)(?:\.\w+)*(?:\.|\[\")(?:skip|only"
            r"|todo|failing|fails"
            r"|skipIf|runIf)\b",
            rf"{_WORD}(?:xit|xtest|xdescribe|fit|fdescribe|xspecify|xcontext|pending)\(",
            r"\bthis\.skip\(",
        ),
        "go": (r"\.(?:Skip|Skipf|SkipNow)\(", r"testing\.Short\(\)"),
        "jvm": (
            r"@(?:Disabled|Ignore|EnabledIf|DisabledIf|EnabledOn|DisabledOn)\w*",
            r"\b(?:Assumptions|Assume)\.",
            r"\bassum(?:eTrue|eFalse|ingThat)\(",
        ),
        "csharp": (r"\[Ignore\b", r"\bSkip=", r"\bAssert\.(?:Ignore|Inconclusive)\("),
        "ruby": (rf"{_WORD}(?:xit|xdescribe|xcontext|skip|pending|fit|fdescribe)\b(?![=.])",),
        "php": (r"markTest(?:Skipped|Incomplete)", r"@group\b"),
        "rust": (r"#\[ignore", r"#\[cfg_attr\([^\]]*ignore", r"#\[should_panic"),
        "swift": (r"\bXCTSkip", r"\bXCTExpectFailure", r"\.disabled\("),
        "c": (r"\bGTEST_SKIP\b", r"\bDISABLED_\w+", r"\bTEST_IGNORE\w*\("),
        "dart": (r"\bskip:(?!false)",),
    },
    "test-runner-detection": {
        "javascript": (
            r"\bNODE_ENV\b[^;]{0,40}test|test[^;]{0,40}\bNODE_ENV\b",
            r"\b(?:JEST_WORKER_ID|VITEST(?:_\w+)?|MOCHA_\w+|KARMA_\w+|__vitest\w*|__karma__"
            r"|__coverage__)\b",
            r"\bNODE_ENV\b",
            r"\btypeof (?:describe|it|test|jest|vi|expect|beforeEach|mocha|window\.__karma__)\b",
            r"\b(?:globalThis|global|window|self)(?:\.|\[\")(?:describe|it|test|jest|vi|expect"
            r"|beforeEach|mocha)\b",
            r"\bimport\.meta\.(?:vitest|env\.(?:MODE|TEST|VITEST))",
            r"\bprocess(?:\.|\[\")(?:argv0?|execArgv|title|mainModule|ppid)\b",
            r"\bprocess\.env\[(?!\")",
            r"\brequire\.main\b",
            r"\bmodule\.(?:parent|children)\b",
            r"\brequire\.cache\b",
            r"\bError\([^()]*\)\??\.stack\b",
            r"\.stack\??\.(?:includes|match|split|indexOf|search)\b",
            r"\bcaptureStackTrace\b|\bprepareStackTrace\b",
            r"\.caller\b|\barguments\.callee\b",
            r"\bprocess\.env\.(?:CI|TEST|TESTING|GITHUB_ACTIONS)\b|\benv\[\"(?:CI|TEST)\"\]",
            r"\bObject\.(?:keys|entries|values)\(process\.env\)|\bin process\.env\b",
        ),
        "go": (
            r"\btesting\.Testing\(",
            r"\bflag\.Lookup\(\"test",
            r"\bos\.Args\b",
            r"\bruntime\.Callers?\(",
            r"\bdebug\.(?:Stack|PrintStack)\(",
            r"\bos\.(?:Getenv|LookupEnv)\(\"(?:CI|TEST\w*|GO_TEST\w*|GITHUB_ACTIONS)\"",
            r"\bos\.(?:Environ|Executable)\(",
        ),
        "jvm": (
            r"\bgetStackTrace\(",
            r"\bStackWalker\b",
            r"\bClass\.forName\(",
            r"\bgetProperty\(\"(?:java\.class\.path|sun\.java\.command|surefire[^\"]*"
            r"|test[^\"]*)\"",
            r"\bgetenv\(\"(?:CI|TEST\w*)\"",
            r"\bManagementFactory\b",
        ),
        "csharp": (
            r"\bStackTrace\b|\bStackFrame\b",
            r"\bGetEntryAssembly\b|\bGetAssemblies\b|\bGetCallingAssembly\b",
            r"\bCaller(?:MemberName|FilePath|LineNumber)\b",
            r"\bEnvironment\.(?:CommandLine|GetCommandLineArgs|StackTrace)",
            r"\bGetEnvironmentVariable\(\"(?:CI|TEST\w*)\"",
        ),
        "ruby": (
            r"(?<!\w)caller(?:_locations)?\b",
            r"\bdefined\?\(?(?:RSpec|Minitest|Test)",
            r"\$PROGRAM_NAME|\$0\b",
            r"\bENV(?:\[|\.fetch\()\"(?:CI|RAILS_ENV|RACK_ENV|TEST\w*|APP_ENV)\"",
            r"\bRails\.env\.test\?",
            r"\$LOADED_FEATURES",
        ),
        "php": (
            r"\bdebug_(?:print_)?backtrace\b",
            r"\bPHPUNIT\w*|\bPHPUnit\b",
            r"\bget_included_files\b|\bget_declared_classes\b",
            r"\bgetenv\(\"(?:CI|APP_ENV|TEST\w*)\"",
            r"\$_SERVER\[\"(?:argv|SCRIPT_NAME|SCRIPT_FILENAME|PHP_SELF)\"",
            r"\bclass_exists\(\"PHPUnit",
        ),
        "rust": (
            r"\bcfg!\(test\)",
            r"#\[cfg\((?:not\()?test",
            r"\benv::args\(|\bcurrent_exe\(|\bBacktrace\b",
            r"\boption_env!\(\"(?:CI|TEST)|\bthread::current\(\)\.name",
        ),
        "swift": (
            r"XCTestConfigurationFilePath|\bNSClassFromString\(\"XCT",
            r"\bProcessInfo\.processInfo\b|\bcallStackSymbols\b",
            r"\bCommandLine\.arguments\b",
        ),
        "c": (
            r"\bbacktrace\(",
            r"__FILE__",
            r"\bgetenv\(\"(?:CI|TEST\w*|GTEST\w*)\"",
            r"\bargv\[0\]",
        ),
        "dart": (
            r"FLUTTER_TEST",
            r"\bStackTrace\.current\b",
            r"\bPlatform\.(?:script|environment)\b",
        ),
    },
    "process-exit": {
        "javascript": (
            r"\bprocess(?:\.|\[\")(?:exit|abort|reallyExit|exitCode|kill|_exiting)\b",
            r"\bDeno\.exit\b|\bphantom\.exit\b",
            r"\{[^{}]*\b(?:exit|abort|kill)\b[^{}]*\}=(?:process"
            r"|require\(\"(?:node:)?process\"\))",
        ),
        "go": (
            r"\bos\.Exit\(",
            r"\blog\.Fatal\w*\(",
            r"\bsyscall\.(?:Exit|Kill)\(",
            r"\bruntime\.Goexit\(",
        ),
        "jvm": (r"\bSystem\.exit\(", r"\.halt\(", r"\bexitProcess\("),
        "csharp": (r"\bEnvironment\.(?:Exit|FailFast)\(", r"\bApplication\.Exit\("),
        "ruby": (
            rf"{_WORD}(?:exit!?|abort|at_exit)\b(?![=.\w])",
            r"\bProcess\.(?:exit|kill|abort)",
        ),
        "php": (rf"{_WORD}(?:exit|die)\b", r"\bregister_shutdown_function\b"),
        "rust": (r"\bprocess::(?:exit|abort)\b",),
        "swift": (rf"{_WORD}(?:exit|abort|fatalError)\(",),
        "c": (
            rf"{_WORD}(?:_?exit|_Exit|abort|quick_exit|atexit|raise|longjmp)\(",
            r"std::(?:exit|abort|terminate)\(",
        ),
        "dart": (rf"{_WORD}exit\(",),
    },
    "dynamic-code": {
        "javascript": (
            rf"{_WORD}eval\b",
            r"\bnew Function\b|(?<![\w$.])Function\(",
            r"(?:globalThis|global|window|self)(?:\.|\[\")(?:eval|Function)\b",
            r"(?:globalThis|global|window|process)\[(?!\")",
            r"\.constructor\(\"|\.constructor\.constructor\b|\[\"constructor\"\]",
            r"\brequire\((?!\")|\bimport\((?!\")",
            r"\bset(?:Timeout|Interval)\(\"",
            r"\"(?:node:)?(?:vm|v8|module|repl|inspector|worker_threads)\"",
            r"\bprocess\.(?:binding|dlopen|_linkedBinding)\b",
            r"\bWebAssembly\b|\bProxy\(",
        ),
        "go": (r"\"plugin\"", r"\"unsafe\"|\bunsafe\.", r"//go:linkname", r"import\"C\""),
        "jvm": (
            r"\bScriptEngine\w*",
            r"\bsetAccessible\(",
            r"\bClassLoader\b|\bdefineClass\(|\bMethodHandles?\b|\bUnsafe\b|\bgetDeclared\w+\(",
        ),
        "csharp": (
            r"\bReflection\b",
            r"\bdynamic \w",
            r"\bunsafe\b",
            r"\bAssembly\.Load",
            r"\bDllImport\b",
        ),
        "ruby": (
            rf"{_WORD}(?:eval|instance_eval|class_eval|module_eval|binding|load"
            rf"|require_relative\s?\$)\b(?![=])",
            r"\.(?:eval|instance_eval|class_eval|module_eval|send|__send__|public_send"
            r"|const_get|define_method"
            r"|instance_variable_set|method_missing)\b",
        ),
        "php": (
            rf"{_WORD}(?:eval|assert|create_function|call_user_func\w*|unserialize|extract)\(",
            r"\$\$\w+|\$\w+\(",
            r"\b(?:include|require)(?:_once)?\b\(?\$",
        ),
        "rust": (r"\bunsafe\b", r"\btransmute\b", r"\blibloading\b"),
        "swift": (r"\bUnsafe\w*Pointer", r"\bdlsym\(", r"\bmethod_exchangeImplementations\b"),
        "c": (r"\bdlopen\(|\bdlsym\(", r"\bmprotect\(", r"\b__attribute__\(\(constructor"),
        "dart": (r"\"dart:mirrors\"", r"\"dart:ffi\""),
    },
    "process-use": {
        "javascript": (
            r"\"(?:node:)?(?:child_process|cluster)\"",
            r"\b(?:execa|shelljs|cross-spawn|zx)\"",
            r"\b(?:Bun\.spawn|Deno\.(?:run|Command))\b",
        ),
        "go": (
            r"\"os/exec\"|\bexec\.Command\w*\(",
            r"\bsyscall\.(?:Exec|ForkExec|StartProcess)\(|\bos\.StartProcess\(",
        ),
        "jvm": (r"\bProcessBuilder\b", r"\bgetRuntime\(\)\.exec\(|\.exec\(\""),
        "csharp": (r"\bProcess\.Start\b|\bProcessStartInfo\b", r"\bnew Process\("),
        "ruby": (
            rf"{_WORD}(?:system|exec|spawn|fork|syscall|trap)\b(?![=.\w])",
            r"\bOpen3\b|\bIO\.popen\b|\bPTY\b",
        ),
        "php": (
            rf"{_WORD}(?:exec|shell_exec|system|passthru|proc_open|popen|pcntl_\w+|posix_\w+)\(",
        ),
        "rust": (r"\bprocess::Command\b|\bCommand::new\(",),
        "swift": (r"\bProcess\(\)|\bNSTask\b",),
        "c": (
            rf"{_WORD}(?:system|popen|fork|vfork|exec[lv]\w*|posix_spawnp?|kill|signal"
            rf"|sigaction|alarm)\(",
        ),
        "dart": (r"\bProcess\.(?:run|start)\w*\(", r"\bIsolate\.spawn"),
    },
    "network-use": {
        "javascript": (
            rf"{_WORD}fetch\(|(?:globalThis|window|self)\.fetch\b",
            r"\bXMLHttpRequest\b|\bWebSocket\b|\bEventSource\b|\bsendBeacon\b",
            r"\"(?:node:)?(?:https?|http2|net|tls|dgram|dns)(?:/promises)?\"",
            r"\"(?:axios|got|node-fetch|undici|superagent|request|ky|ws|socket\.io-client)\"",
        ),
        "go": (
            r"\"net(?:/http|/rpc|/smtp)?\"|\bhttp\.(?:Get|Post|Head|NewRequest\w*)\("
            r"|\bnet\.Dial\w*\(",
        ),
        "jvm": (
            r"\bjava\.net\.(?!URI\b|URLEncoder|URLDecoder)|\bHttpClient\b|\bURL\(|\bSocket\("
            r"|\bokhttp3?\b",
        ),
        "csharp": (
            r"\bHttpClient\b|\bWebClient\b|\bTcpClient\b|\bSocket\(|\bWebRequest\b"
            r"|\bSystem\.Net\.(?:Http|Sockets)",
        ),
        "ruby": (
            r"\bNet::HTTP\b|\bTCPSocket\b|\bopen-uri\b|\bURI\.open\b|\bFaraday\b|\bHTTParty\b"
            r"|\bSocket\b",
        ),
        "php": (
            rf"{_WORD}(?:curl_\w+|fsockopen|stream_socket_\w+|mail)\("
            rf"|\bfile_get_contents\(\"https?:|\bGuzzleHttp\b",
        ),
        "rust": (r"\bstd::net\b|\bTcpStream\b|\bUdpSocket\b|\breqwest\b|\bhyper\b|\bureq\b",),
        "swift": (r"\bURLSession\b|\bNWConnection\b|\bURLRequest\b",),
        "c": (rf"{_WORD}(?:socket|connect|getaddrinfo|curl_easy_\w+|sendto|recvfrom)\(",),
        "dart": (r"\bHttpClient\b|\"package:http/|\bSocket\.connect\b",),
    },
    "patched-module": {
        "javascript": (
            r"\b[A-Z]\w*\.prototype(?:\.|\[)[^=;(]*=(?!=)",
            r"\bObject\.(?:defineProperty|defineProperties|assign"
            r"|setPrototypeOf)\((?:[A-Z]\w*(?:\.prototype)?"
            r"|global\w*|window|console|process|Math|JSON),",
            r"\b(?:global|globalThis|window|console|process|Math|JSON|Object|Array|Promise"
            r"|Date|String|Number|require"
            r"|module\.constructor)(?:\.\w+|\[[^\]]*\])=(?![=>])",
            r"\bjest\.(?:mock|spyOn|fn)\(|\bvi\.(?:mock|spyOn|fn)\(|\bsinon\b",
            r"\b__proto__\b|\bReflect\.(?:set|defineProperty)\(",
        ),
        "ruby": (
            r"\bclass (?:String|Integer|Float|Array|Hash|Object|NilClass|Symbol|Numeric|Kernel"
            r"|BasicObject)\b",
            r"\bmodule (?:Kernel|Comparable|Enumerable|RSpec|Minitest)\b",
            r"\brefine [A-Z]|\bprepend [A-Z]|\balias_method\b",
        ),
        "c": (r"#define (?:assert|EXPECT_\w+|ASSERT_\w+|CHECK)\b", r"#undef \w+"),
    },
    "swallowed-exception": {
        "javascript": (
            r"\bcatch(?:\([^()]*\))?\{(?:;|return(?: null| undefined|\[\]|\{\}|\"\"| false"
            r"| true| 0)?)*\}",
            r"\.catch\((?:\(?[\w$,{}]*\)?=>(?:\{(?:return;?)?\}|undefined|null|void 0|\[\]"
            r"|\(\{\}\)|\"\"|false|true|0)"
            r"|function\w*\([\w,]*\)\{\}|noop|[\w.]*noop)\)",
            r",\(?\w*\)?=>(?:undefined|null|void 0|\{\})\)",
            r"\bfinally\{[^{}]*\b(?:return|break|continue)\b",
            r"(?:process|window)\.on(?:ce)?\(\"(?:uncaughtException|unhandledRejection)\""
            r"|\bonerror=|\bonunhandledrejection=",
            r"\"(?:uncaughtException|unhandledRejection)\"",
        ),
        "go": (
            r"\bif (?:\w+(?:,\w+)*:?=[^{};]*;)?(?:err|\w*Err)!=nil\{\}",
            r"\b_=(?:err|[\w.]+\()",
            r",_:?=[\w.]+\(",
            r"\brecover\(\)",
        ),
        "jvm": (
            r"\bcatch\([^()]*\)\{(?:;|return(?: null| false| true| 0|\"\")?)*\}",
            r"\bcatch\((?:final )?(?:\w+:)?(?:Exception|Throwable|Error"
            r"|AssertionError)\b[^()]*\)\{(?![^{}]*\bthrow\b)",
            r"\brunCatching\b",
            r"\bfinally\{[^{}]*\breturn\b",
        ),
        "csharp": (
            r"\bcatch(?:\([^()]*\))?(?:when\([^{}]*\))?\{(?:;|return[^;{}]{0,12};)*\}",
            r"\bcatch(?:\((?:System\.)?Exception\b[^()]*\))?\{(?![^{}]*\bthrow\b)",
        ),
        "ruby": (
            r"\brescue (?:nil|false|true|0|\[\]|\{\}|\"\")",
            r"\brescue(?:=>\w+)?(?: nil)? end\b",
            r"\brescue (?:Exception|StandardError)\b(?!.{0,80}\braise\b)",
            r"\bensure return\b",
        ),
        "php": (
            r"\bcatch\([^()]*\)\{(?:;|return;?)*\}",
            r"\bcatch\(\\?(?:Throwable|Exception)\b[^()]*\)\{(?![^{}]*\bthrow\b)",
            r"@\$?\w+\(",
        ),
        "rust": (r"\bcatch_unwind\b", r"\blet _=", r"\.ok\(\);"),
        "swift": (r"\bcatch\{\}", r"\btry\?"),
        "c": (r"\bcatch\(\.\.\.\)", r"\bcatch\([^()]*\)\{\}"),
        "dart": (r"\bcatch\([^()]*\)\{\}", r"\bcatchError\(\(?_?\)?(?:=>null|\{\})"),
    },
    "suppressed-warning": {
        "javascript": (
            r"\bas (?:any|unknown as|never)\b",
            r"<any>",
            r"\bconsole\.(?:error|warn|log)=",
            r"\bprocess\.(?:removeAllListeners|emitWarning=)|\bnoDeprecation=",
        ),
        "jvm": (r"@Suppress(?:Warnings|Lint)?\b", r"@SneakyThrows\b"),
        "csharp": (r"#pragma warning disable", r"\bSuppressMessage\b", r"#nullable disable"),
        "php": (
            r"\berror_reporting\(",
            r"\bini_set\(\"(?:display_errors|error_log|log_errors)\"",
            r"\bset_error_handler\(",
        ),
        "ruby": (r"\$VERBOSE=", r"\bWarning\[", r"\$stderr="),
        "rust": (r"#!?\[(?:allow|expect)\(",),
        "c": (
            r"#pragma (?:GCC|clang) diagnostic ?ignored|#pragma warning\(disable",
            r"\[\[maybe_unused\]\]",
        ),
        "go": (r"\blog\.SetOutput\(io(?:util)?\.Discard",),
    },
    "added-delay": {
        "javascript": (
            r"\bset(?:Timeout|Interval)\(",
            r"\bAtomics\.wait\b",
            r"\"(?:node:)?timers/promises\"",
            r"\b(?:sleep|delay)\(",
            r"\bwhile\([^()]*(?:Date\.now|performance\.now)\(\)",
            r"\b(?:p-retry|async-retry|promise-retry|retry)\"|\bretryTimes\(",
        ),
        "go": (r"\btime\.(?:Sleep|After|Tick|NewTimer)\(", r"\bruntime\.Gosched\("),
        "jvm": (
            r"\bThread\.sleep\(|\.sleep\(|\bdelay\(",
            r"@Retry\w*|@RepeatedTest",
            r"\bLockSupport\.park|\bawait\(\)\.atMost",
        ),
        "csharp": (r"\bThread\.Sleep\(|\bTask\.Delay\(|\bSpinWait\b", r"\bPolly\b|\[Retry"),
        "ruby": (rf"{_WORD}sleep\b", rf"{_WORD}retry\b(?![=.\w])"),
        "php": (rf"{_WORD}(?:sleep|usleep|time_nanosleep)\(",),
        "rust": (r"\bthread::sleep\b|\bsleep\(|\bspin_loop\(",),
        "swift": (
            rf"{_WORD}(?:sleep|usleep)\(|\bThread\.sleep\b|\bTask\.sleep\b"
            rf"|\basyncAfter\b",
        ),
        "c": (rf"{_WORD}(?:sleep|usleep|nanosleep)\(|\bsleep_(?:for|until)\(",),
        "dart": (r"\bFuture\.delayed\b|\bsleep\(",),
    },
    "longer-timeout": {
        "javascript": (
            r"\b(?:jest|this|vi)\.set(?:Timeout|Config)\(|\bthis\.(?:timeout|retries)\(",
        ),
        "php": (r"\bset_time_limit\(|\"max_execution_time\"|\"memory_limit\"",),
    },
    "rigged-comparison": {
        "any": (
            r"\|\|(?:true\b|!0)|&&(?:false\b|!1)",
            r"\b(?:equals|Equals|isEqual|equal|isEqualTo|operator=="
            r"|__eq__)\([^(){}]*\)(?:[\w:<>?\s]*)(?:\{return(?: true|\(true\)| !false| 1"
            r"|!0);?\}|=>true|=true\b)",
        ),
        "javascript": (
            r"\[Symbol\.(?:toPrimitive|hasInstance)\]|\bSymbol\.(?:hasInstance|toStringTag)\b",
            r"\basymmetricMatch\b|\bexpect\.(?:any|anything|extend)\b",
            r"\b(?:valueOf|toJSON)\(\)\{",
        ),
        "ruby": (
            r"\bdef (?:==|eql\?|equal\?|===|!=|=~)(?:\(?\w*\)?)(?: true| 1)? end\b",
            r"\bdef (?:===|!=|coerce)",
        ),
        "rust": (
            r"\bfn eq\([^{}]*\)->bool\{true\}",
            r"\bfn cmp\([^{}]*\)->[\w:]*Ordering\{[\w:]*Ordering::Equal\}",
        ),
        "go": (r"\bfunc(?:\([^()]*\))?\w*Equals?\([^()]*\)bool\{return true\}",),
        "swift": (r"\bstatic func==\([^{}]*\)->Bool\{(?:return )?true\}",),
        "c": (r"\boperator(?:==|!=)\([^{}]*\)(?:const)?\{return(?: true| 1|!0);\}",),
    },
    "test-access": {
        "any": (
            r"\"(?:[^\"]*[/\\])?(?:tests?|__tests__|specs?)[/\\][^\"]*\.(?:[cm]?[jt]sx?|go"
            r"|java|kt|cs|rb|php|rs|json|snap)\"",
            r"\"[^\"]*(?:[._-](?:test|spec)\.[cm]?[jt]sx?|_test\.go|_spec\.rb|Test\.(?:java|kt"
            r"|php))\"",
        ),
        "javascript": (
            r"(?:from|require\(|import\()\"[^\"]*(?:\.\./)(?:tests?|__tests__|spec)/",
            r"\.toString\(\)\.match|\bFunction\.prototype\.toString\b",
        ),
    },
}
"""What is new in a source is refused by these rules."""

LANGUAGE_TEXTS: dict[str, str] = {
    "test-runner-detection": r"(?i)\b(?:JEST_WORKER_ID|VITEST|JEST|MOCHA|KARMA|PHPUNIT|RSPEC"
    r"|XCTEST|GTEST)(?:_\w+)?\b"
    r"|^NODE_ENV$",
}
"""Texts that are refused wherever they stand in code."""

LANGUAGE_COMMENTS = (
    r"@ts-(?:ignore|nocheck|expect-error)|eslint-disable\S*|tslint:disable|prettier-ignore"
    r"|biome-ignore"
    r"|istanbul ignore|c8 ignore|v8 ignore|stryker disable|deno-lint-ignore|@vitest-environment"
    r"|\bnolint\b|#nosec|\bnosec\b|NOSONAR|NOLINT\w*|rubocop:disable|:nocov:"
    r"|@codeCoverageIgnore\w*"
    r"|phpcs:(?:disable|ignore)|@phpstan-ignore\S*|@psalm-suppress|ktlint-disable|noinspection"
    r"|swiftlint:disable|checkstyle:off|spotless:off|clang-format off|cppcheck-suppress"
    r"|LCOV_EXCL\w*"
    r"|coverage:ignore\S*|ignore_for_file|go:linkname|go:build ignore|\+build ignore"
    r"|ReSharper disable"
    r"|@jest-environment|gitleaks:allow|semgrep|@noflow|\$FlowFixMe"
)
"""Comments that silence a tool."""

LANGUAGE_ASSERTIONS = (
    r"\bexpect\(|\bassert\w*[.!(]|\bAssert\.\w+\(|\bshould\.|\bt\.(?:Error|Fatal|Fail)\w*\("
    r"|\b(?:require|assert)\.(?:Equal|NoError|True|False|Nil|NotNil)\w*\(|\bXCTAssert\w*\("
    r"|\b(?:ASSERT|EXPECT|CHECK|REQUIRE)\w*\(|\$this->assert\w+\(|\bdebug_assert\w*!"
)
"""Where an assertion begins."""
