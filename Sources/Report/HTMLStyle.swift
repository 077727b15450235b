/// The style sheet of `report.html`, light and dark.
enum HTMLStyle {
    private static let lightColors = [
        "#2563eb", "#db5c1f", "#15906a", "#9333ea", "#c2185b", "#0e7c9b", "#a16207", "#64748b",
    ]
    private static let darkColors = [
        "#6ea0ff", "#ff9561", "#4fd1a5", "#c792f5", "#ff7aa8", "#5cc8e8", "#e0b44c", "#a3b1c6",
    ]

    private static func colors(_ colors: [String]) -> String {
        colors.enumerated().map { "--c\($0): \($1);" }.joined(separator: " ")
    }

    private static var classes: String {
        lightColors.indices.map {
            ".s\($0){stroke:var(--c\($0))} .b\($0){background:var(--c\($0))}"
        }
        .joined(separator: "\n")
    }

    static var sheet: String {
        """
        :root { --ink:#1d2430; --muted:#5d6778; --page:#f5f6f8; --card:#fff; --line:#e1e5eb;
          --good:#15803d; --bad:#b91c1c; --warn:#a16207; \(colors(lightColors)) }
        @media (prefers-color-scheme: dark) { :root { --ink:#e6eaf0; --muted:#98a3b3;
          --page:#12161c; --card:#1b2129; --line:#2d3540; --good:#4ade80; --bad:#f87171;
          --warn:#facc15; \(colors(darkColors)) } }
        body { margin:0; background:var(--page); color:var(--ink);
          font:15px/1.5 system-ui, sans-serif; }
        main { max-width:1000px; margin:0 auto; padding:24px 16px 64px; }
        h1 { display:inline-block; margin:0 12px 0 0; font-size:26px; }
        h2 { margin:0 0 10px; font-size:16px; }
        .muted { color:var(--muted); margin:4px 0 0; }
        section { background:var(--card); border:1px solid var(--line); border-radius:10px;
          padding:16px 18px; margin-top:16px; }
        .warning { border-color:var(--warn); }
        .verdict { text-transform:uppercase; letter-spacing:.06em; font-weight:700;
          font-size:13px; padding:3px 10px; border-radius:99px; color:var(--card);
          background:var(--warn); vertical-align:5px; }
        .verdict.passed { background:var(--good); } .verdict.failed { background:var(--bad); }
        .scroll { overflow-x:auto; }
        table { border-collapse:collapse; width:100%; font-variant-numeric:tabular-nums;
          font-size:14px; }
        th { text-align:left; color:var(--muted); font-weight:600; }
        th, td { padding:5px 10px 5px 0; border-bottom:1px solid var(--line);
          white-space:nowrap; }
        tbody tr:last-child td { border-bottom:0; }
        svg { width:100%; height:auto; display:block; }
        svg .axis { fill:var(--muted); font:12px system-ui, sans-serif; }
        svg .grid { stroke:var(--line); } svg .band { fill:var(--line); opacity:.45; }
        polyline { fill:none; stroke-width:2; stroke-linejoin:round; }
        polyline.dashed { stroke-dasharray:5 4; }
        .legend { display:flex; flex-wrap:wrap; gap:4px 16px; font-size:13px;
          margin-bottom:6px; color:var(--muted); }
        .key i { display:inline-block; width:14px; height:3px; margin-right:6px;
          vertical-align:4px; border-radius:2px; }
        \(classes)
        """
    }
}
