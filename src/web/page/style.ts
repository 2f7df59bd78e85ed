// The page's look, sent inside the page: the first paint needs no second request.

export const STYLE = `:root{color-scheme:light dark;--bg:#f6f7f8;--card:#fff;--ink:#16202a;--soft:#52606d;--line:#dde2e7;--ok:#10713c;--warn:#8a5200;--bad:#b3201c;--none:#5b6672}
@media(prefers-color-scheme:dark){:root{--bg:#11161b;--card:#1a2128;--ink:#e8edf1;--soft:#a3b0bb;--line:#303a44;--ok:#5fd08d;--warn:#f0b04a;--bad:#ff8a80;--none:#a3adb7}}
*{box-sizing:border-box}body{margin:0;background:var(--bg);color:var(--ink);font:17px/1.5 system-ui,sans-serif;overflow-wrap:anywhere}
main,header,footer{max-width:1180px;margin:0 auto;padding:0 16px}header{padding-top:24px}
.where{color:var(--soft);margin:0}h1{font-size:clamp(1.5rem,4vw,2.1rem);line-height:1.25;margin:8px 0 4px;padding-left:16px;border-left:8px solid}
h2{font-size:1.1rem;margin:0 0 10px}.grid{display:grid;gap:16px;margin:20px 0}@media(min-width:900px){.grid{grid-template-columns:1fr 1fr}.wide{grid-column:1/-1}}
section{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:16px 18px;min-width:0}
ul{list-style:none;margin:0;padding:0}li{padding:8px 0;border-top:1px solid var(--line)}li:first-child{border-top:0;padding-top:0}
p{margin:4px 0}#stale{position:sticky;top:0;z-index:1;margin:0;padding:10px 16px;background:var(--bad);color:var(--bg);font-weight:600}.stale .works,.stale .impaired{color:var(--none)}.soft,small{color:var(--soft)}b{font-weight:600}.works{color:var(--ok)}.impaired,.warning{color:var(--warn)}.broken,.alarm{color:var(--bad)}.not-known,.notice{color:var(--none)}
.charts{display:grid;grid-template-columns:repeat(auto-fill,minmax(240px,1fr));gap:16px}figure{margin:0;min-width:0}.chart{max-width:none;height:60px;margin:4px 0;color:var(--ok)}.stale .chart{color:var(--none)}dl{display:grid;grid-template-columns:repeat(auto-fill,minmax(150px,1fr));gap:12px;margin:0}dt{color:var(--soft);font-size:.85em}dd{margin:0;font-weight:600}.row{display:flex;justify-content:space-between;gap:16px}.row>:last-child{text-align:right;flex:none;max-width:50%}svg{display:block;width:100%;max-width:260px;margin:0 auto 8px}
form{display:flex;gap:8px;margin-bottom:12px}input,button{font:inherit;color:inherit;background:var(--bg);border:1px solid var(--soft);border-radius:8px;padding:8px 12px;min-width:0;min-height:44px}input{flex:1}
a{color:inherit}:focus-visible{outline:3px solid var(--ok);outline-offset:2px}footer{padding-bottom:32px;color:var(--soft)}
@media print{:root{--bg:#fff;--card:#fff;--ink:#000;--soft:#333;--line:#999}body{font-size:10px}form{display:none}section{break-inside:avoid;padding:6px 8px}.grid{gap:6px;margin:8px 0}svg{max-width:130px}@page{size:A4;margin:12mm}}`;
