std = "lua54"
max_line_length = 100
-- specs quote whole lines of output, and so do the figures
files["spec"] = { std = "+busted", max_line_length = 125 }
files["spec/peer_suites"] = { max_line_length = 200 }
files["bench"] = { max_line_length = 125 }
files[".busted"] = { std = "lua54" }
exclude_files = { "build", "dist" }
