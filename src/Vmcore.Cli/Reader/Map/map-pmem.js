'use strict';
// The pmem: each namespace in a frame, by what its pages were used for. $, el, size, addr and dark are those of the page.
{
const M=D.pmem,areas=[],chosen={file:-1};
if(M){
const NS=M.states.length,area=$('pareas'),tip=$('ptip');
$('pmem').hidden=false;
for(const a of M.areas){
  a.n=Math.ceil(a.pages/a.cell_pages);a.v=[];
  for(const run of a.cells){const[c,t]=run.split(':'),row={};for(const m of t.matchAll(/([a-z])(\d+)/g))row[m[1]]=+m[2];for(let i=0;i<+c&&a.v.length<a.n;i++)a.v.push(row)}
  delete a.cells;
}
const letter=i=>String.fromCharCode(97+i),color=k=>dark()?k.dark:k.light,alarm=()=>dark()?'#ff6b7d':'#c4122b';
// What is in some cells: pages by letter.
function sum(a,from,to){const o={};for(let c=from;c<to;c++)for(const k in a.v[c])o[k]=(o[k]||0)+a.v[c][k];return o}
function pattern(g,kind){
  const t=document.createElement('canvas');t.width=t.height=6;const h=t.getContext('2d');
  const line=(x1,y1,x2,y2)=>{for(const[o,c]of[[0,'rgba(255,255,255,.6)'],[1,'rgba(0,0,0,.42)']]){h.strokeStyle=c;h.lineWidth=1;h.beginPath();h.moveTo(x1+(y1===y2?0:o),y1+(y1===y2?o:0));h.lineTo(x2+(y1===y2?0:o),y2+(y1===y2?o:0));h.stroke()}};
  if(kind==='lines')line(0,2.5,6,2.5);
  if(kind==='slashes'||kind==='cross')for(const o of[-6,0,6])line(o,6,o+6,0);
  if(kind==='backslashes'||kind==='cross')for(const o of[-6,0,6])line(o,0,o+6,6);
  if(kind==='dots'){h.fillStyle='rgba(255,255,255,.75)';h.fillRect(1,1,2,2);h.fillStyle='rgba(0,0,0,.45)';h.fillRect(2,2,1,1)}
  return g.createPattern(t,'repeat');
}
function shape(g,key,x,y,s){
  const p=new Path2D(),r=s*.36,cx=x+s/2,cy=y+s/2;
  if(key==='poisoned'){p.moveTo(cx-r,cy-r);p.lineTo(cx+r,cy+r);p.moveTo(cx+r,cy-r);p.lineTo(cx-r,cy+r)}
  else if(key==='bad_block'){p.moveTo(cx,cy-r);p.lineTo(cx+r,cy+r);p.lineTo(cx-r,cy+r);p.closePath()}
  else p.arc(cx,cy,r*.75,0,7);
  const ground=dark()?'#14171b':'#fff',ink=key==='pinned'?(dark()?'#fff':'#1b1f24'):alarm();
  g.lineJoin='round';g.lineWidth=key==='poisoned'?5:3.5;g.strokeStyle=ground;g.stroke(p);
  if(key==='poisoned'){g.lineWidth=2.2;g.strokeStyle=ink;g.stroke(p)}else{g.fillStyle=ink;g.fill(p)}
}
function swatch(k,isMark){
  const c=el('canvas',{className:'swatch',width:28,height:28}),g=c.getContext('2d');g.scale(2,2);
  if(isMark)shape(g,k.key,0,0,14);else{g.fillStyle=color(k);g.fillRect(0,0,14,14);if(k.texture!=='none'){g.fillStyle=pattern(g,k.texture);g.fillRect(0,0,14,14)}}
  return c;
}
const byFile=M.files.map(f=>f.ranges.slice().sort((x,y)=>x.pfn-y.pfn));
// The pieces of files in [p, q).
function pieces(p,q){
  const out=[];
  M.files.forEach((f,i)=>{let pages=0,from=Infinity,to=0;for(const r of byFile[i]){if(r.pfn>=q)break;const a=Math.max(p,r.pfn),b=Math.min(q,r.pfn+r.pages);
    if(a<b){pages+=b-a;from=Math.min(from,r.file_page+a-r.pfn);to=Math.max(to,r.file_page+b-r.pfn)}}
    if(pages)out.push({f,i,pages,from,to})});
  return out.sort((x,y)=>y.pages-x.pages);
}
const mappers=(f,from,to)=>f.processes.filter(p=>p.file_page<to&&p.file_page+p.pages>from);
const people=(f,list)=>list.length?(list.length===1?'mapped by process ':'mapped by '+list.length+(f.processes_left_out?' or more':'')+' processes: ')+list.slice(0,6).map(p=>p.pid+' '+p.name).join(', ')+(list.length>6?', …':''):f.processes_left_out?'mapped by processes that are not listed':'no process maps it now';
const line=x=>el('div',{className:'pf'},el('b',{textContent:x.f.name}),' '+size(x.pages)+', from byte '+addr(x.from)+' of it; '+people(x.f,mappers(x.f,x.from,x.to)));
window.pmemFiles=(p,q)=>pieces(p,q).slice(0,3).map(line);
function words(a,from,to,isShort){
  const p=a.start_pfn+from*a.cell_pages,q=Math.min(a.start_pfn+a.pages,a.start_pfn+to*a.cell_pages),o=sum(a,from,to),f=document.createDocumentFragment();
  f.append(el('b',{textContent:a.name}),el('br',{}),addr(p)+' – '+addr(q)+', '+size(q-p)+', pfn 0x'+p.toString(16));
  M.states.forEach((k,i)=>{if(o[letter(i)])f.append(el('div',{},swatch(k),' '+k.name+': '+size(o[letter(i)])))});
  for(const k of M.marks)if(o[k.letter])f.append(el('div',{},swatch(k,true),' '+k.name+': '+o[k.letter]+(o[k.letter]===1?' page':' pages')));
  const list=pieces(p,q),most=isShort?3:12;
  f.append(...list.slice(0,most).map(line));
  if(list.length>most)f.append(el('div',{className:'dim',textContent:(list.length-most)+' more files'}));
  if(M.cut_short&&(o[letter(2)]||o[letter(3)]))f.append(el('div',{className:'dim',textContent:'There may be files here that are not listed: there are too many, or they are in too many pieces.'}));
  return f;
}
function legend(){
  const all=M.areas.map(a=>a.totals),total=k=>all.reduce((s,t)=>s+(t[k]||0),0);
  $('plegend').replaceChildren(...M.states.filter(k=>total(k.key)).map(k=>el('li',{},swatch(k),el('span',{textContent:k.name+' '+size(total(k.key))}))),
    ...M.marks.filter(k=>total(k.key)).map(k=>el('li',{},swatch(k,true),el('span',{textContent:k.name+' '+size(total(k.key))}))));
}
function make(a){
  const c=el('canvas',{tabIndex:0});c.setAttribute('role','application');c.setAttribute('aria-label','Map of '+a.name+'. Arrow keys move.');c.setAttribute('aria-describedby','ppicked');
  const table=el('table',{}),more=el('details',{},el('summary',{textContent:'As a table'}),el('div',{className:'scroll'},table));
  more.ontoggle=()=>{if(more.open&&!table.rows.length)rows(a,table)};
  area.append(el('article',{className:'ns'},el('h3',{textContent:a.name}),el('div',{className:'dim',textContent:a.description+' · '+addr(a.start_pfn)+' – '+addr(a.start_pfn+a.pages)},el('span',{className:'per'})),
    a.damage?el('div',{className:'bad',textContent:a.damage}):'',c,more));
  const s={a,c,sel:-1,per:1,cols:1,side:9};areas.push(s);
  const at=e=>{const b=c.getBoundingClientRect(),i=Math.floor((e.clientY-b.top)/s.side)*s.cols+Math.floor((e.clientX-b.left)/s.side);return e.clientX-b.left<s.cols*s.side&&i<Math.ceil(a.n/s.per)?i:-1};
  c.onclick=e=>pick(s,at(e));
  c.onmousemove=e=>{const i=at(e);if(i<0){tip.style.display='none';return}tip.replaceChildren(words(a,i*s.per,Math.min(a.n,(i+1)*s.per),true));tip.style.display='block';
    const w=$('pmem').getBoundingClientRect();tip.style.left=Math.max(0,Math.min(e.clientX-w.left+16,w.width-tip.offsetWidth-8))+'px';tip.style.top=e.clientY-w.top+18+'px'};
  c.onmouseleave=()=>tip.style.display='none';
  c.onkeydown=e=>{const d={ArrowRight:1,ArrowLeft:-1,ArrowDown:s.cols,ArrowUp:-s.cols}[e.key];if(d){e.preventDefault();pick(s,Math.max(0,Math.min(Math.ceil(a.n/s.per)-1,s.sel<0?0:s.sel+d)))}};
}
function pick(s,i){if(i<0)return;for(const x of areas)x.sel=x===s?i:-1;tip.style.display='none';s.c.after($('ppicked'));$('ppicked').replaceChildren(words(s.a,i*s.per,Math.min(s.a.n,(i+1)*s.per)));draw()}
// Neighbouring squares that are alike, one a row.
function rows(a,table){
  const most=400,out=[];let from=0;
  const names=(p,q)=>pieces(p,q).map(x=>x.i).join();
  const kind=c=>{const r=a.v[c],p=a.start_pfn+c*a.cell_pages;return Object.keys(r).join('')+'|'+names(p,Math.min(a.start_pfn+a.pages,p+a.cell_pages))};
  let last=kind(0);
  for(let c=1;c<=a.n&&out.length<=most;c++){const k=c<a.n?kind(c):null;if(k!==last){out.push([from,c]);from=c;last=k}}
  table.replaceChildren(el('thead',{},el('tr',{},...['From','Size','What','Files'].map(t=>el('th',{scope:'col',textContent:t})))),el('tbody',{},...out.slice(0,most).map(([f,t])=>{
    const p=a.start_pfn+f*a.cell_pages,q=Math.min(a.start_pfn+a.pages,a.start_pfn+t*a.cell_pages),o=sum(a,f,t);
    return el('tr',{},el('td',{},el('code',{textContent:addr(p)})),el('td',{textContent:size(q-p)}),
      el('td',{textContent:[...M.states.filter((k,i)=>o[letter(i)]).map(k=>k.name),...M.marks.filter(k=>o[k.letter]).map(k=>k.name+' '+o[k.letter])].join('; ')}),el('td',{textContent:pieces(p,q).slice(0,4).map(x=>x.f.name).join(', ')||'–'}))})));
  if(out.length>most)table.append(el('tfoot',{},el('tr',{},el('td',{colSpan:4,textContent:'and more'}))));
}
function draw(){
  const d=devicePixelRatio||1,st=getComputedStyle(document.documentElement);
  for(const s of areas){
    const a=s.a,W=Math.max(120,s.c.clientWidth),small=W<600||matchMedia('(pointer:coarse)').matches;
    s.side=small?15:11;const was=s.per*Math.max(0,s.sel);s.per=1;while(Math.ceil(a.n/s.per)*s.side*s.side>W*(small?640:360))s.per*=2;
    s.cols=Math.max(1,Math.floor(W/s.side));if(s.sel>=0)s.sel=Math.floor(was/s.per);
    s.c.parentNode.querySelector('.per').textContent=' · '+size(s.per*a.cell_pages)+' a square';
    const n=Math.ceil(a.n/s.per),H=Math.ceil(n/s.cols)*s.side,g=s.c.getContext('2d'),w=s.side-1;
    s.c.width=W*d;s.c.height=H*d;s.c.style.height=H+'px';g.setTransform(d,0,0,d,0,0);g.clearRect(0,0,W,H);
    const over=M.states.map(k=>k.texture==='none'?null:pattern(g,k.texture));
    for(let i=0;i<n;i++){
      const from=i*s.per,to=Math.min(a.n,from+s.per),o=sum(a,from,to),x=(i%s.cols)*s.side,y=Math.floor(i/s.cols)*s.side;
      let all=0,done=0,part=0;for(let k=0;k<NS;k++)all+=o[letter(k)]||0;
      if(chosen.file>=0){const p=a.start_pfn+from*a.cell_pages,q=a.start_pfn+to*a.cell_pages;g.globalAlpha=byFile[chosen.file].some(r=>r.pfn<q&&r.pfn+r.pages>p)?1:.22}
      for(let k=0;k<NS;k++){const v=o[letter(k)];if(!v)continue;part+=v;const end=Math.min(w,Math.max(done+(v/all>.004?1:0),Math.round(part/all*w)));if(end<=done)continue;
        g.fillStyle=color(M.states[k]);g.fillRect(x,y+done,w,end-done);if(over[k]){g.fillStyle=over[k];g.fillRect(x,y+done,w,end-done)}done=end}
      const mark=M.marks.find(k=>o[k.letter]);if(mark)shape(g,mark.key,x,y,w);
      g.globalAlpha=1;
    }
    if(s.sel>=0){g.lineWidth=2;g.strokeStyle=st.getPropertyValue('--accent');g.strokeRect((s.sel%s.cols)*s.side-1+1,Math.floor(s.sel/s.cols)*s.side+1,w-1,w-1)}
  }
}
function files(){
  const none=!M.files.length;$('pfiles').hidden=none;if(none){$('pfilesnone').hidden=false;return}
  $('pfiles').replaceChildren(el('caption',{className:'sr',textContent:'Files and devices on pmem'}),el('thead',{},el('tr',{},...['File or device','Inode','On','Mapped','Shared','Pinned','Processes'].map(t=>el('th',{scope:'col',textContent:t})))),
    el('tbody',{},...M.files.map((f,i)=>{const b=el('button',{className:'link',textContent:f.name});b.setAttribute('aria-pressed','false');
      b.onclick=()=>{chosen.file=chosen.file===i?-1:i;for(const x of $('pfiles').querySelectorAll('button'))x.setAttribute('aria-pressed','false');b.setAttribute('aria-pressed',String(chosen.file===i));draw();
        if(chosen.file!==i)return;$('pfiles').parentNode.after($('ppicked'));$('ppicked').replaceChildren(el('b',{textContent:f.name}),...f.ranges.slice(0,40).map(r=>el('div',{},el('code',{textContent:addr(r.pfn)}),' '+size(r.pages)+', from byte '+addr(r.file_page)+' of the file'+(r.shared?', shared':''))),
          f.ranges.length>40||f.ranges_left_out?el('div',{className:'dim',textContent:(Math.max(0,f.ranges.length-40)+f.ranges_left_out)+' more pieces'}):'',el('div',{textContent:people(f,f.processes)}))};
      return el('tr',{},el('td',{},b),el('td',{textContent:f.inode??'–'}),el('td',{textContent:(f.file_system?f.file_system+' on ':'')+(f.device??'?')}),el('td',{textContent:size(f.pages)}),el('td',{textContent:f.shared_pages?size(f.shared_pages):'–'}),
        el('td',{textContent:f.pinned_pages?size(f.pinned_pages):'–'}),el('td',{textContent:String(new Set(f.processes.map(p=>p.pid)).size+f.processes_left_out)}))})));
  if(M.files_left_out)$('pfiles').append(el('tfoot',{},el('tr',{},el('td',{colSpan:7,textContent:'and '+M.files_left_out+' more'}))));
}
for(const a of M.areas)make(a);
$('pfindings').replaceChildren(...M.findings.map(t=>el('li',{textContent:t})),...M.bad_blocks.map(b=>el('li',{textContent:'bad block: '+b.start+' – '+b.end})));
if(M.bad_blocks_left_out)$('pfindings').append(el('li',{textContent:M.bad_blocks_left_out+' more bad blocks'}));
legend();files();draw();addEventListener('resize',draw);matchMedia('(prefers-color-scheme:dark)').addEventListener('change',()=>{legend();draw()});
document.documentElement.dataset.pmem=String(areas.length);
}
}
