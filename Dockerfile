# The dashboard in a container: a Docker Space of the Hugging Face Hub, or any machine. docs/hosting.md
#   docker build -t medgan . && docker run --rm --init -p 7860:7860 medgan

FROM python:3.11.13-slim-bookworm AS packages
# cpu is gigabytes smaller. For NVIDIA GPUs: --build-arg TORCH=cu130, or what your driver takes.
ARG TORCH=cpu
COPY requirements.txt .
# Compiled now: the user of the container cannot write there, and would compile anew at every start.
RUN pip install --no-cache-dir uv==0.13.9 \
    && uv venv --python python3 /opt/medgan \
    && uv pip install --python /opt/medgan/bin/python --no-cache --compile-bytecode \
        --torch-backend ${TORCH} -r requirements.txt

FROM python:3.11.13-slim-bookworm
# Spaces run as user 1000. The workspace is made here, so that a volume in its place belongs to the user.
RUN useradd --create-home --uid 1000 user \
    && install --directory --owner user --group user /home/user/workspace
COPY --from=packages /opt/medgan /opt/medgan
ENV HOME=/home/user \
    PATH=/opt/medgan/bin:$PATH \
    HF_HOME=/home/user/.cache/huggingface \
    TORCH_HOME=/home/user/.cache/torch \
    MEDGAN_HOME=/home/user/workspace \
    PYTHONUNBUFFERED=1 \
    STREAMLIT_SERVER_ADDRESS=0.0.0.0 \
    STREAMLIT_SERVER_PORT=7860 \
    STREAMLIT_SERVER_HEADLESS=true \
    STREAMLIT_SERVER_FILE_WATCHER_TYPE=none \
    STREAMLIT_CLIENT_SHOW_ERROR_DETAILS=type
# A Space is shown inside of another page, where the browser keeps back the cookie that uploads are checked
# with. Where the container is opened directly, turn it on: -e STREAMLIT_SERVER_ENABLE_XSRF_PROTECTION=true
ENV STREAMLIT_SERVER_ENABLE_XSRF_PROTECTION=false
WORKDIR /home/user/app
# requirements.txt is what a job at Hugging Face installs.
COPY app.py requirements.txt ./
COPY .streamlit .streamlit
COPY checkpoints checkpoints
COPY pages pages
COPY medgan medgan
RUN python -m compileall -q app.py pages medgan
USER user
EXPOSE 7860
HEALTHCHECK --start-period=30s --timeout=5s \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:7860/_stcore/health')"]
CMD ["python", "-m", "streamlit", "run", "app.py"]
